//! The texts of a configuration.

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
}
