use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
    ser::SerializeMap as _,
};

/// `KEY: value`, or `KEY: {secret: value}`.
#[derive(Clone, PartialEq, Eq)]
pub enum Variable {
    Plain(String),
    /// Never shown again once it is given.
    Secret(String),
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variable::Plain(value) => f.debug_tuple("Plain").field(value).finish(),
            Variable::Secret(_) => f.write_str("Secret(..)"),
        }
    }
}

const SECRET: &str = "secret";

impl Serialize for Variable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Variable::Plain(value) => serializer.serialize_str(value),
            Variable::Secret(value) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(SECRET, value)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

/// `1.10` and `yes` are other things to a reader of YAML than to whoever typed them.
const IN_QUOTES: &str = "a variable's value is text: write it in quotes";

impl<'de> Visitor<'de> for Written {
    type Value = Variable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a variable's value in quotes, or {secret: VALUE}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Variable, E> {
        Ok(Variable::Plain(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Variable, E> {
        Ok(Variable::Plain(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Variable, E> {
        Err(E::custom(IN_QUOTES))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Variable, E> {
        Err(E::custom(IN_QUOTES))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Variable, E> {
        Err(E::custom(IN_QUOTES))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Variable, E> {
        Err(E::custom(IN_QUOTES))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variable, A::Error> {
        let mut secret = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != SECRET {
                return Err(A::Error::unknown_field(&key, &[SECRET]));
            }
            if secret.replace(map.next_value::<String>()?).is_some() {
                return Err(A::Error::duplicate_field(SECRET));
            }
        }
        secret.map(Variable::Secret).ok_or_else(|| A::Error::missing_field(SECRET))
    }
}
