//! ringback's guard service: what is held back and why, and letting it pass.

use std::time::Duration;

use prost_types::Duration as Span;
use ringback_core::Refusal;
use ringback_core::guard::{Mode, Place, Standing as Stands};
use ringback_core::rights::{Right, Scope};
use ringback_store::Store;
use tonic::{Request, Response, Status};

use super::contract;
use super::errors::{status, status_of_read};
use super::rules::{invalid, length};
use crate::api::shared::{caller, timestamp};
use crate::http::{BODY_LIMIT, RpcService, Services};
use crate::proto::ringback::guard::v1::guard_service_server::{GuardService, GuardServiceServer};
use crate::proto::ringback::guard::v1::{
    AllowDestinationRequest, AllowDestinationResponse, GetGuardStatusRequest,
    GetGuardStatusResponse, GuardMode, Hold, Standing,
};

/// The request's name in `proto/`.
const ALLOW: &str = "AllowDestinationRequest";
/// So many standings are told at once.
const MOST: usize = 1_000;
/// For how long codes pass unless it is said, and at most.
const USUAL: Duration = Duration::from_secs(86_400);
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Serves what the guard holds back.
pub(super) fn service(services: &Services) -> RpcService {
    let api = GuardApi {
        store: services.store.clone(),
    };
    let guard = GuardServiceServer::new(api);
    RpcService::new(
        guard.max_decoding_message_size(BODY_LIMIT),
        status,
        contract::of_guard,
    )
}

/// Serves `ringback.guard.v1.GuardService`. The caller is expected in the request's extensions.
#[derive(Clone)]
struct GuardApi {
    store: Store,
}

impl GuardApi {
    fn status_now(
        &self,
        request: Request<GetGuardStatusRequest>,
    ) -> Result<GetGuardStatusResponse, Refusal> {
        let caller = caller(&request)?;
        let scope = caller.reach(Right::ReadGuard)?;
        let held_only = request.into_inner().held_only;
        let standings = self.store.guard_standings(&scope).into_iter();
        let wanted = standings.filter(|(_, one)| !held_only || !one.reasons.is_empty());
        let (first, more) = first_of(wanted, MOST);
        Ok(GetGuardStatusResponse {
            more,
            standings: first
                .into_iter()
                .map(|(organization, one)| self.standing(organization, one))
                .collect(),
            mode: self.mode(&caller.organization).into(),
        })
    }

    fn mode(&self, organization: &str) -> GuardMode {
        match self.store.rules().policies.of(organization).guard.mode {
            Mode::Off => GuardMode::Off,
            Mode::Record => GuardMode::Record,
            Mode::Enforce => GuardMode::Enforce,
        }
    }

    fn standing(&self, organization: String, one: Stands) -> Standing {
        let (country, prefix) = match one.place {
            Place::Country(country) => (country, String::new()),
            Place::Prefix(prefix) => (String::new(), prefix),
        };
        let holds = one.reasons.into_iter().map(|(reason, until)| Hold {
            reason: reason.code().to_owned(),
            until_date: Some(timestamp(until)),
        });
        Standing {
            mode: self.mode(&organization).into(),
            organization_id: organization,
            country,
            prefix,
            sent: one.sent,
            answered: one.answered,
            holds: holds.collect(),
            since_date: one.since.map(timestamp),
            allowed_until_date: one.allowed_until.map(timestamp),
        }
    }

    async fn allow(
        &self,
        request: Request<AllowDestinationRequest>,
    ) -> Result<AllowDestinationResponse, Refusal> {
        let caller = caller(&request)?;
        let organization = match caller.reach(Right::WriteGuard)? {
            Scope::Organization(organization) => organization,
            // Codes pass in one organisation at a time.
            Scope::Everywhere | Scope::Own { .. } => caller.organization.clone(),
        };
        let (place, span) = asked(&request.into_inner())?;
        let until = self.store.now() + span;
        let count = self.store.guard_allow(&organization, &place, until).await?;
        Ok(AllowDestinationResponse {
            places: u32::try_from(count).unwrap_or(u32::MAX),
            until_date: Some(timestamp(until)),
        })
    }
}

/// The first ones, and how many more there are.
fn first_of<T>(mut all: impl Iterator<Item = T>, most: usize) -> (Vec<T>, u32) {
    let first = all.by_ref().take(most).collect();
    (first, u32::try_from(all.count()).unwrap_or(u32::MAX))
}

/// What shall pass, and for how long.
fn asked(request: &AllowDestinationRequest) -> Result<(Place, Duration), Refusal> {
    Ok((place(request)?, span(request.duration)?))
}

/// One refusal of each kind that no schema can say, by a name for the contract.
pub(super) fn refusals_of_form() -> impl Iterator<Item = (&'static str, Refusal)> {
    let of = |name, country: &str, prefix: &str, seconds| {
        let request = AllowDestinationRequest {
            country: country.to_owned(),
            prefix: prefix.to_owned(),
            duration: Some(Span { seconds, nanos: 0 }),
        };
        asked(&request).err().map(|refusal| (name, refusal))
    };
    let wrong = [
        of("country_unknown", "C", "", 60),
        of("prefix_malformed", "", "4179123", 60),
        of("destination_missing", "", "", 60),
        of("destination_twice", "CH", "+4179123", 60),
        of("duration_out_of_range", "CH", "", 1),
    ];
    wrong.into_iter().flatten()
}

fn place(request: &AllowDestinationRequest) -> Result<Place, Refusal> {
    length(ALLOW, "country", &request.country)?;
    length(ALLOW, "prefix", &request.prefix)?;
    match (request.country.as_str(), request.prefix.as_str()) {
        ("", "") => Err(invalid("country", "or prefix must be given")),
        (country, "") => Place::country(country).map_err(|rule| invalid("country", rule)),
        ("", prefix) => Place::prefix(prefix).map_err(|rule| invalid("prefix", rule)),
        _ => Err(invalid("prefix", "must be empty where a country is given")),
    }
}

fn span(given: Option<Span>) -> Result<Duration, Refusal> {
    let Some(given) = given else {
        return Ok(USUAL);
    };
    // Its own conversion cannot negate every number.
    let seconds = u64::try_from(given.seconds).ok();
    let nanos = u32::try_from(given.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000);
    let span = seconds
        .zip(nanos)
        .map(|(seconds, nanos)| Duration::new(seconds, nanos));
    let allowed = span.filter(|span| (SHORTEST..=LONGEST).contains(span));
    allowed.ok_or_else(|| invalid("duration", "must be 60s to 2592000s"))
}

#[tonic::async_trait]
impl GuardService for GuardApi {
    async fn get_guard_status(
        &self,
        request: Request<GetGuardStatusRequest>,
    ) -> Result<Response<GetGuardStatusResponse>, Status> {
        let told = self.status_now(request);
        told.map(Response::new)
            .map_err(|refusal| status_of_read(&refusal))
    }

    async fn allow_destination(
        &self,
        request: Request<AllowDestinationRequest>,
    ) -> Result<Response<AllowDestinationResponse>, Status> {
        let done = self.allow(request).await;
        done.map(Response::new).map_err(|refusal| status(&refusal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_at_once_has_an_end_and_says_so() {
        assert_eq!(first_of(0..3, 3), (vec![0, 1, 2], 0));
        assert_eq!(first_of(0..5, 3), (vec![0, 1, 2], 2));
        assert_eq!(first_of(0..0, 3), (vec![], 0));
    }

    #[test]
    fn times_have_bounds() {
        let seconds = |seconds| span(Some(Span { seconds, nanos: 0 })).ok();
        assert_eq!(span(None), Ok(USUAL));
        assert_eq!(seconds(60), Some(SHORTEST));
        assert_eq!(seconds(2_592_000), Some(LONGEST));
        for wrong in [i64::MIN, -1, 0, 59, 2_592_001, i64::MAX] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
