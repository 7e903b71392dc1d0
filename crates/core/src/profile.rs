//! Who a user is: kept and given back.

use serde::{Deserialize, Serialize};

/// Who a user is. Kept and given back; nothing is decided by it but the language of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// The name to log in with; the user id where none was given.
    pub username: String,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub family_name: String,
    /// Nickname.
    pub nick_name: String,
    /// The name to show.
    pub display_name: String,
    /// BCP 47 tag of the language that messages are written in.
    pub preferred_language: String,
    /// Number of the wire's gender enumeration.
    pub gender: i32,
    /// E-mail address.
    pub email: String,
    /// Whether whoever registered the user vouched for the address.
    pub email_verified: bool,
}

/// Parts of a profile that shall change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The name to log in with.
    pub username: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Last name.
    pub family_name: Option<String>,
    /// Nickname.
    pub nick_name: Option<String>,
    /// The name to show.
    pub display_name: Option<String>,
    /// BCP 47 tag.
    pub preferred_language: Option<String>,
    /// Number of the wire's gender enumeration.
    pub gender: Option<i32>,
    /// E-mail address and whether the caller vouches for it.
    pub email: Option<(String, bool)>,
}

impl ProfileChange {
    pub(crate) fn apply(&self, profile: &mut Profile) {
        // Taken apart so that a new part cannot be forgotten here.
        let ProfileChange {
            username,
            given_name,
            family_name,
            nick_name,
            display_name,
            preferred_language,
            gender,
            email,
        } = self.clone();
        let texts = [
            (username, &mut profile.username),
            (given_name, &mut profile.given_name),
            (family_name, &mut profile.family_name),
            (nick_name, &mut profile.nick_name),
            (display_name, &mut profile.display_name),
            (preferred_language, &mut profile.preferred_language),
        ];
        for (change, part) in texts {
            if let Some(text) = change {
                *part = text;
            }
        }
        if let Some(gender) = gender {
            profile.gender = gender;
        }
        if let Some((address, verified)) = email {
            // The same address again says nothing against it.
            profile.email_verified =
                verified || (profile.email_verified && profile.email == address);
            profile.email = address;
        }
    }
}
