//! A certificate for this machine alone, made once, of an authority whose key nobody keeps.

use std::path::PathBuf;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, Error,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use ringback_core::Time;

/// The names that the certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

const DAY: Duration = Duration::from_secs(86_400);

/// The longest life that Apple's clients accept is 825 days.
const LIFE: Duration = Duration::from_secs(800 * 86_400);

/// The files of a data directory's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevCertificate {
    /// What clients are told to trust.
    pub authority: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// The same in PEM.
pub(super) struct Made {
    pub(super) authority: String,
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Makes an authority and lets it issue one certificate. Its key is forgotten then, so whoever trusts it
/// trusts that one certificate and no other.
pub(super) fn make(now: Time) -> Result<Made, Error> {
    let mut params = living(CertificateParams::default(), "ringback dev authority", now);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let names = CertificateParams::new(NAMES.map(str::to_owned))?;
    let mut params = living(names, "ringback dev", now);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?;
    Ok(Made {
        authority: authority.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn living(mut params: CertificateParams, name: &str, now: Time) -> CertificateParams {
    let since = Duration::from_micros(u64::try_from(now.0).unwrap_or_default());
    let now = date_time_ymd(1970, 1, 1) + since;
    // Clocks of clients may be slow.
    params.not_before = now - DAY;
    params.not_after = now + LIFE;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
