//! What is wrong with a configuration, by key.

use std::fmt;

/// One key and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `server.listen`, or the variable or file that it came from.
    pub key: String,
    /// What is wrong and what would be right. Never holds a value, which might be a secret.
    pub reason: String,
}

/// Everything that is wrong with a configuration, one line for each key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// One problem.
    pub fn new(key: impl Into<String>, reason: impl Into<String>) -> ConfigError {
        let mut error = ConfigError::default();
        error.add(key, reason);
        error
    }

    /// The problems, in the order of the default file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(crate) fn add(&mut self, key: impl Into<String>, reason: impl Into<String>) {
        self.problems.push(Problem {
            key: key.into(),
            reason: reason.into(),
        });
    }

    pub(crate) fn append(&mut self, mut other: ConfigError) {
        self.problems.append(&mut other.problems);
    }

    pub(crate) fn each(&mut self, change: impl Fn(&mut Problem)) {
        self.problems.iter_mut().for_each(change);
    }

    pub(crate) fn or_ok(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Problem { key, reason }) in self.problems.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n" };
            write!(f, "{gap}{key}: {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
