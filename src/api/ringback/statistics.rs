//! How messages with codes go: what was counted by hour, route and country, and what waits.

use ringback_core::Refusal;
use ringback_core::Time;
use ringback_core::delivery::{HourOf, NO_COUNTRY};
use ringback_core::rights::Right;
use ringback_store::Store;
use tonic::Request;

use super::messages::written;
use super::rules::invalid;
use crate::api::shared::{caller, timestamp};
use crate::proto::ringback::sms::v1::{
    DeliveryHour, GetDeliveryStatisticsRequest, GetDeliveryStatisticsResponse, RouteState,
    WaitingMessages,
};
use crate::proto::rules;
use crate::resting::Resting;

const USUAL: u32 = 24;
const HOUR: i64 = 3_600 * 1_000_000;

/// What was counted lately. No organisation is told from another in it, so it is for those who may see them all.
pub(super) async fn tell(
    store: &Store,
    routes: &[String],
    resting: &Resting,
    request: Request<GetDeliveryStatisticsRequest>,
) -> Result<GetDeliveryStatisticsResponse, Refusal> {
    let caller = caller(&request)?;
    if !caller.everywhere.holds(Right::ReadMessages) {
        return Err(Refusal::PermissionDenied);
    }
    let most = rules::most("ringback.sms.v1.GetDeliveryStatisticsRequest.hours");
    let hours = match request.into_inner().hours {
        0 => USUAL,
        hours if hours as usize <= most => hours,
        _ => return Err(invalid("hours", format!("must not be more than {most}"))),
    };
    let mut counted = store.conversion_since(hours).await?;
    counted.sort_by(|a, b| (b.hour, &a.route, &a.country).cmp(&(a.hour, &b.route, &b.country)));
    let waiting = store.waiting().await?;
    Ok(GetDeliveryStatisticsResponse {
        hours: counted.into_iter().map(hour).collect(),
        waiting: waiting
            .into_iter()
            .map(|one| WaitingMessages {
                route: one.route,
                count: one.count,
                oldest_date: Some(timestamp(one.oldest)),
            })
            .collect(),
        routes: routes
            .iter()
            .map(|route| RouteState {
                route: route.clone(),
                resting_until_date: resting.until(route, store.now()).map(timestamp),
            })
            .collect(),
    })
}

fn hour(one: HourOf) -> DeliveryHour {
    DeliveryHour {
        date: Some(timestamp(Time(one.hour.saturating_mul(HOUR)))),
        country: match one.country == NO_COUNTRY {
            true => String::new(),
            false => one.country,
        },
        route: one.route,
        sent: one.tally.sent,
        delivered: one.tally.delivered,
        undelivered: one.tally.undelivered,
        verified: one.tally.verified,
        cost: written(one.tally.cost),
    }
}
