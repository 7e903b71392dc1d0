//! Numbers for tests: no message goes to them, and their code is fixed.

use std::collections::BTreeMap;

use crate::code::{Code, Shape};
use crate::moment::Time;
use crate::number::{Number, NumberError, NumberRules, Validation};

/// A number for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestNumber {
    code: Code,
    until: Time,
}

impl TestNumber {
    /// `None` when the code is none of this shape.
    pub fn new(code: &str, shape: Shape, until: Time) -> Option<TestNumber> {
        let code = Code::chosen(code, shape)?;
        Some(TestNumber { code, until })
    }

    /// The code that proves it; `None` when its time is over.
    pub(crate) fn code(&self, now: Time) -> Option<&Code> {
        (now < self.until).then_some(&self.code)
    }

    /// From this time on it is no number that is taken.
    pub fn until(&self) -> Time {
        self.until
    }
}

/// The numbers for tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestNumbers(BTreeMap<String, TestNumber>);

impl TestNumbers {
    /// None of them need exist.
    pub fn new(numbers: impl IntoIterator<Item = (Number, TestNumber)>) -> TestNumbers {
        let numbers = numbers.into_iter();
        TestNumbers(
            numbers
                .map(|(number, test)| (number.as_str().to_owned(), test))
                .collect(),
        )
    }

    /// A number, if it is one of them.
    pub(crate) fn of(&self, number: &Number) -> Option<&TestNumber> {
        self.0.get(number.as_str())
    }

    /// A number as people write it. One of these may be one that cannot exist.
    pub(crate) fn read(&self, text: &str, rules: &NumberRules) -> Result<Number, NumberError> {
        let read = Number::parse(text, rules);
        if read.is_ok() || self.0.is_empty() {
            return read;
        }
        let lenient = NumberRules {
            validation: Validation::E164,
            ..rules.clone()
        };
        match Number::parse(text, &lenient) {
            Ok(number) if self.of(&number).is_some() => Ok(number),
            Ok(_) | Err(_) => read,
        }
    }

    /// Refuses a number whose time is over.
    pub(crate) fn check(&self, number: &Number, now: Time) -> Result<(), NumberError> {
        match self.of(number) {
            Some(test) if test.code(now).is_none() => Err(NumberError::TestOver),
            Some(_) | None => Ok(()),
        }
    }
}
