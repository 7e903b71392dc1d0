//! The texts of a configuration.

use ringback_core::limit::Segments;
use ringback_sms::texts::{CodeShape, Texts};

use super::{Config, ConfigError};

impl Config {
    /// What messages say to users of each organisation, or which text is wrong and how.
    pub fn texts(&self) -> Result<Texts, ConfigError> {
        let codes = &self.codes;
        // Values that are wrong in themselves make no text too long.
        let shape = CodeShape {
            length: usize::from(codes.length).min(10),
            minutes: codes.validity_seconds.min(86_400).div_ceil(60),
        };
        let own = self.organizations.iter();
        let own = own.map(|(id, section)| (id, &section.messages));
        Texts::new(&self.messages, own, shape).map_err(|problems| {
            let mut error = ConfigError::default();
            for problem in problems {
                error.add(problem.key, problem.reason);
            }
            error
        })
    }

    /// As how many text messages those of an organisation go out at most, by language. Where texts are wrong nothing
    /// starts, so nobody is told.
    pub(super) fn segments(texts: Option<&Texts>, organization: Option<&str>) -> Segments {
        texts.map_or_else(Segments::default, |texts| texts.most_segments(organization))
    }
}
