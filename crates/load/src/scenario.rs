//! What is done over and over: each scenario's operation, with every reply checked.

use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::answer::{self, Miss, wrong};
use crate::connection::Connection;
use crate::ids::{self, Ids};
use crate::request::{PAGE, Request};

/// What the yardstick has to repeat: as long as the answer to `get`.
const ECHO: &str = "The quick brown fox jumps over the lazy dog, and over again until it is as long as the record of a user with a number and dates.";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Scenario {
    /// Sets a number, the code comes back
    Set,
    /// Sets a number, the code is sent; the worker delivers meanwhile
    Send,
    /// A user sets a number, with a token and at an address of the user's own; the code is sent
    Own,
    /// Sets a number, the code comes back and is submitted
    Flow,
    /// Submits a wrong code for a fresh number; the time is that of the guess
    Wrong,
    /// Reads a user
    Get,
    /// Reads a user's numbers
    List,
    /// Reads pages of 100 numbers, one after the other
    Search,
    /// Reads a page of 100 users, anywhere in the order in which they were made
    Users,
    /// Reads the first 100 users of a filter that no index answers
    Filter,
    /// Asks `ringback-load echo`
    Echo,
    /// Registers users; other scenarios prepare with it
    Register,
}

/// How long one operation took, and how many requests it was made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lap {
    pub(crate) took: Duration,
    pub(crate) requests: u32,
}

impl Scenario {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scenario::Set => "set",
            Scenario::Send => "send",
            Scenario::Own => "own",
            Scenario::Flow => "flow",
            Scenario::Wrong => "wrong",
            Scenario::Get => "get",
            Scenario::List => "list",
            Scenario::Search => "search",
            Scenario::Users => "users",
            Scenario::Filter => "filter",
            Scenario::Echo => "echo",
            Scenario::Register => "register",
        }
    }

    /// Whether each operation uses up a registered user.
    pub(crate) fn uses_fresh(self) -> bool {
        match self {
            Scenario::Set | Scenario::Send | Scenario::Own | Scenario::Flow | Scenario::Wrong => {
                true
            }
            Scenario::Get
            | Scenario::List
            | Scenario::Search
            | Scenario::Users
            | Scenario::Filter
            | Scenario::Echo
            | Scenario::Register => false,
        }
    }

    /// Whether it reads users that were there before, with their numbers.
    pub(crate) fn uses_known(self) -> bool {
        self == Scenario::Get || self == Scenario::List || self.is_bounded()
    }

    /// Whether the server may refuse some of it, because it bounds how much of that there is at once.
    pub(crate) fn is_bounded(self) -> bool {
        matches!(self, Scenario::Search | Scenario::Users | Scenario::Filter)
    }

    /// Does it once. `place` is where this connection is in the pages of a search.
    pub(crate) async fn once(
        self,
        connection: &mut Connection,
        ids: &Ids,
        place: &mut String,
    ) -> Result<Lap, Miss> {
        let start = Instant::now();
        let mut requests = 1;
        let mut measured_from = start;
        match self {
            Scenario::Register => {
                let user = ids::user(fresh(ids)?);
                answer::registered(&connection.call(Request::Register { user: &user }).await?)?;
            }
            Scenario::Send => {
                let n = fresh(ids)?;
                let (user, number) = (ids::user(n), ids::number(n));
                let request = Request::SetSent {
                    user: &user,
                    number: &number,
                };
                answer::set_sent(&connection.call(request).await?)?;
            }
            Scenario::Own => {
                let n = fresh(ids)?;
                let (user, number, from) = (ids::user(n), ids::number(n), ids::address(n));
                let request = Request::SetSent {
                    user: &user,
                    number: &number,
                };
                answer::set_sent(&connection.call_as(&user, &from, request).await?)?;
            }
            Scenario::Set | Scenario::Flow | Scenario::Wrong => {
                let n = fresh(ids)?;
                let (user, number) = (ids::user(n), ids::number(n));
                let request = Request::SetReturned {
                    user: &user,
                    number: &number,
                };
                let code = answer::set_returned(&connection.call(request).await?)?;
                match self {
                    Scenario::Flow => {
                        requests = 2;
                        let request = Request::Verify {
                            user: &user,
                            code: &code,
                        };
                        answer::verified(&connection.call(request).await?)?;
                    }
                    Scenario::Wrong => {
                        requests = 2;
                        measured_from = Instant::now();
                        let code = another(&code)?;
                        let request = Request::Verify {
                            user: &user,
                            code: &code,
                        };
                        answer::code_refused(&connection.call(request).await?)?;
                    }
                    _ => {}
                }
            }
            Scenario::Get | Scenario::List => {
                let n = ids.any_known();
                let (user, number) = (ids::user(n), ids::number(n));
                let verified = ids::is_verified(n);
                if self == Scenario::Get {
                    let reply = connection.call(Request::Get { user: &user }).await?;
                    answer::got(&reply, &user, &number, verified)?;
                } else {
                    let reply = connection.call(Request::List { user: &user }).await?;
                    answer::listed(&reply, &user, &number, verified)?;
                }
            }
            Scenario::Search => {
                let reply = connection
                    .call(Request::Search { page_token: place })
                    .await?;
                // After the last page the token is empty, which asks for the first one.
                *place = answer::searched(&reply, PAGE as usize)?;
            }
            Scenario::Users => {
                let known = ids.known();
                let places = known.saturating_sub(PAGE.into()) + 1;
                let offset = ids.any_known() % places;
                let reply = connection.call(Request::Users { offset }).await?;
                answer::users(&reply, offset, known)?;
            }
            Scenario::Filter => {
                let seeded = ids.known_filtered();
                answer::filtered(&connection.call(Request::Filter).await?, seeded)?;
            }
            Scenario::Echo => {
                answer::echoed(&connection.call(Request::Echo { text: ECHO }).await?, ECHO)?;
            }
        }
        Ok(Lap {
            took: measured_from.elapsed(),
            requests,
        })
    }
}

fn fresh(ids: &Ids) -> Result<u64, Miss> {
    ids.next_fresh().ok_or(Miss::Exhausted)
}

/// Six digits that are not these.
fn another(code: &str) -> Result<String, Miss> {
    let number: u32 = code.parse().map_err(|_| wrong("the code is no number"))?;
    Ok(format!("{:06}", (number + 1) % 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_code_is_wrong_and_has_the_form_of_a_code() {
        assert_eq!(another("000009").unwrap(), "000010");
        assert_eq!(another("999999").unwrap(), "000000");
    }
}
