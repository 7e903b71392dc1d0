//! What people write back, of any provider: where it says who has written what.

use super::settings::{HttpInboundSettings, HttpSettings, Signed};
use super::told::{Place, Proof, Signature, Wrong};
use crate::{Inbound, Keyword, ReceiptError, ReceiptRequest};

/// How what people write back is read.
#[derive(Clone)]
pub(super) struct InboundRules {
    from: Place,
    text: Place,
    proof: Proof,
}

impl InboundRules {
    /// `None` where the provider passes nothing on. The error says which key is wrong, and what with it.
    pub(super) fn parse(settings: &HttpSettings) -> Result<Option<InboundRules>, Wrong> {
        let Some(own) = &settings.inbound else {
            return Ok(None);
        };
        let signature = signature(own, settings)?;
        let from = Place::parse("inbound.from", &own.from)?;
        let text = Place::parse("inbound.text", &own.text)?;
        if signature.signed == Signed::HmacSha256 {
            for (key, place) in [("inbound.from", &from), ("inbound.text", &text)] {
                if !place.is_of_body() {
                    let says = "must be in the body: hmac_sha256 does not sign the query";
                    return Err((key.to_owned(), says.to_owned()));
                }
            }
        }
        let proof = Proof::parse(&signature)?;
        Ok(Some(InboundRules { from, text, proof }))
    }

    pub(super) fn read(&self, request: &ReceiptRequest<'_>) -> Result<Inbound, ReceiptError> {
        self.proof.check(request)?;
        let missing = "it has nothing where it should say who has written what";
        let from = self.from.find(request, missing)?.unwrap_or_default();
        let text = self.text.find(request, missing)?.unwrap_or_default();
        Ok(Inbound::of(&from, Keyword::read(&text)))
    }
}

/// What shows that it is from the provider: there is no secret of a message in its address.
fn signature<'a>(
    own: &'a HttpInboundSettings,
    settings: &'a HttpSettings,
) -> Result<Signature<'a>, Wrong> {
    let signature = match (own.signed, &settings.receipt) {
        (Some(signed), _) => Signature::of_inbound(own, signed),
        (None, Some(receipt)) => Signature::of_receipts(receipt),
        (None, None) => Signature::of_inbound(own, Signed::None),
    };
    match signature.signed {
        Signed::None => Err((
            "inbound.signed".to_owned(),
            "is missing; set it to header, hmac_sha256 or basic: anybody could stop anybody's messages".to_owned(),
        )),
        Signed::Header | Signed::HmacSha256 | Signed::Basic => Ok(signature),
    }
}
