//! Paths as logs show them.

use std::fmt::{self, Write};

/// A path as logs show it: of a part that is too long for an id, such as the secret of a receipt's address, only
/// the beginning.
pub(super) struct Shown<'a>(pub(super) &'a str);

/// The longest part that is shown whole.
const LONGEST_SHOWN: usize = 40;

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.split('/').enumerate() {
            if index > 0 {
                f.write_char('/')?;
            }
            match part.len() > LONGEST_SHOWN {
                true => part.chars().take(8).try_for_each(|c| f.write_char(c))?,
                false => f.write_str(part)?,
            }
            if part.len() > LONGEST_SHOWN {
                f.write_char('…')?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Shown;

    #[test]
    fn logs_show_no_secret_of_an_address() {
        let token = "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXx";
        for (path, shown) in [
            ("/".to_owned(), "/"),
            ("/v2/users/ann/phone".to_owned(), "/v2/users/ann/phone"),
            (
                "/v2/messages/01900000-0000-7000-8000-000000000001".to_owned(),
                "/v2/messages/01900000-0000-7000-8000-000000000001",
            ),
            (
                format!("/sms/receipts/relay/{token}"),
                "/sms/receipts/relay/AaBbCcDd…",
            ),
            (
                format!("/sms/receipts/relay/{token}/"),
                "/sms/receipts/relay/AaBbCcDd…/",
            ),
        ] {
            assert_eq!(Shown(&path).to_string(), shown);
        }
    }
}
