//! JSON whose objects have each name once.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Error, Map, Number, Value};

/// A JSON text, and a name that an object in it has twice, if there is one: readers differ in which of the two they take.
pub(super) fn read(bytes: &[u8]) -> Result<(Value, Option<String>), Error> {
    let twice = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { twice: &twice }.deserialize(&mut json)?;
    json.end()?;
    Ok((value, twice.into_inner()))
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    twice: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element_seed(self)? {
            all.push(one);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let value = object.next_value_seed(self)?;
            if all.contains_key(&name) {
                self.twice.borrow_mut().get_or_insert_with(|| name.clone());
            }
            all.insert(name, value);
        }
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_there_twice_is_found_however_deep() {
        for (text, found) in [
            (r#"{"a":1,"b":2}"#, None),
            (r#"{"a":{"a":1},"b":{"a":2}}"#, None),
            (r#"{"a":1,"a":1}"#, Some("a")),
            (r#"{"a":1,"\u0061":1}"#, Some("a")),
            (r#"{"p":[{"x":1},{"x":1,"x":2}]}"#, Some("x")),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap().1.as_deref(), found, "{text}");
        }
        let text = r#"{"a":[null,true,-1,18446744073709551615,1.5,"x",{}]}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(text.as_bytes()).unwrap().0, value);
        for wrong in ["{", "{}{}", "[1,]", "nul"] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
