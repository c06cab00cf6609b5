//! The string that lets a blade join: where the controller is, whom to trust, and a one-time secret.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What an administrator copies to a blade: `berth-join:<host:port>:<sha256 of the CA, hex>:<token>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinString {
    pub controller: String,
    pub ca_sha256: [u8; 32],
    pub token: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a join string: it looks like berth-join:HOST:PORT:FINGERPRINT:TOKEN")]
pub struct InvalidJoinString;

impl fmt::Display for JoinString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "berth-join:{}:", self.controller)?;
        for byte in self.ca_sha256 {
            write!(f, "{byte:02x}")?;
        }
        write!(f, ":{}", self.token)
    }
}

impl FromStr for JoinString {
    type Err = InvalidJoinString;

    fn from_str(text: &str) -> Result<Self, InvalidJoinString> {
        // From the right: an IPv6 controller address contains colons itself.
        let rest = text.trim().strip_prefix("berth-join:").ok_or(InvalidJoinString)?;
        let (rest, token) = rest.rsplit_once(':').ok_or(InvalidJoinString)?;
        let (controller, hex) = rest.rsplit_once(':').ok_or(InvalidJoinString)?;
        let token_ok = !token.is_empty()
            && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let has_port = controller
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !token_ok || !has_port || hex.len() != 64 || !hex.is_ascii() {
            return Err(InvalidJoinString);
        }
        let mut ca_sha256 = [0; 32];
        for (byte, pair) in ca_sha256.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| InvalidJoinString)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidJoinString)?;
        }
        Ok(Self { controller: controller.to_owned(), ca_sha256, token: token.to_owned() })
    }
}

/// The controller's side of a join string. Used once, then gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    pub token_sha256: [u8; 32],
    pub expires_at: Timestamp,
    /// The blade that used it: the same agent may ask again with the same key when the answer was lost.
    pub used_by: Option<UsedBy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedBy {
    pub node: crate::id::NodeId,
    pub public_key_sha256: [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        for controller in ["berth.example.edu:8444", "[2001:db8::1]:8444", "127.0.0.1:8444"] {
            let join = JoinString {
                controller: controller.into(),
                ca_sha256: [0xab; 32],
                token: "t0k-en_".into(),
            };
            assert_eq!(join.to_string().parse(), Ok(join));
        }
        for bad in ["", "berth-join:", "berth-join:host:8444:abcd:token", "berth-join:host:::"] {
            assert_eq!(bad.parse::<JoinString>(), Err(InvalidJoinString), "{bad}");
        }
    }
}
