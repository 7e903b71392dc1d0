//! A user with a client of one API.

use serde_json::Value;

use super::{Answer, Api, Call, Kind, Question, Refused};
use crate::app::TestApp;
use crate::refusals::harmless;

/// An end user. Tokens are made for each call, because one API asks for young ones.
pub struct User<'a> {
    app: &'a TestApp,
    pub api: Api,
    pub id: String,
    organization: &'static str,
}

/// A number, and whether it is verified.
pub type Held = (String, bool);

impl<'a> User<'a> {
    /// A user of the organisation `acme`.
    pub fn new(app: &'a TestApp, api: Api, id: &str) -> User<'a> {
        User {
            app,
            api,
            id: id.to_owned(),
            organization: "acme",
        }
    }

    /// The same id in another organisation.
    pub fn of(self, organization: &'static str) -> User<'a> {
        User {
            organization,
            ..self
        }
    }

    pub fn token(&self) -> String {
        let claims = self.api.claims(&self.id, self.organization, self.app.now());
        self.app.token(claims)
    }

    pub async fn send(&self, call: Call) -> Result<Value, Refused> {
        send(self.app, &call, &self.token()).await
    }

    /// Sets a number and gets a code.
    pub async fn set(&self, number: &str) -> Result<Question, Refused> {
        let reply = self.send(self.api.set(&self.id, number)).await?;
        Ok(Question::read(number, &reply))
    }

    /// Has the code sent again, in the first way that the API has.
    pub async fn resend(&self, question: &Question) -> Result<Question, Refused> {
        self.resend_by(0, question).await
    }

    /// Has the code sent again, in one of the ways of [`Api::resends`].
    pub async fn resend_by(&self, way: usize, question: &Question) -> Result<Question, Refused> {
        let call = self.api.resends(&self.id, &question.number).remove(way);
        let reply = self.send(call).await?;
        Ok(Question::read(&question.number, &reply))
    }

    pub async fn submit(&self, question: &Question, code: &str) -> Result<(), Refused> {
        let call = self.api.submit(&self.id, question, code);
        self.send(call).await.map(|_| ())
    }

    /// [`User::submit`] where nothing else is expected than that the code is refused.
    pub async fn refused(&self, question: &Question, code: &str) -> Refused {
        let refused = self.submit(question, code).await;
        let refused = refused.expect_err("the code was accepted");
        assert_eq!(refused.kind, Kind::CodeRefused, "{refused:?}");
        refused
    }

    /// Sets and verifies a number.
    pub async fn proven(&self, number: &str) {
        let question = self.set(number).await.expect("set");
        let code = self.app.code(number).await;
        self.submit(&question, &code).await.expect("verified");
    }

    pub async fn held(&self) -> Result<Vec<Held>, Refused> {
        let shown = self.send(self.api.read(&self.id)).await?;
        Ok(self.api.held(&shown))
    }

    /// What the API calls a number that the user holds. Only Frontegg names numbers by an id.
    pub async fn id_of(&self, number: &str) -> String {
        if self.api != Api::Frontegg {
            return String::new();
        }
        let shown = self.send(self.api.read(&self.id)).await.expect("read");
        let mut all = shown.as_array().expect("a bare array").iter();
        let held = all.find(|held| held["phoneNumber"] == number);
        let id = held.and_then(|held| held["id"].as_str());
        id.expect("a number that is held").to_owned()
    }

    /// Removes a number, and confirms it where that is asked for.
    pub async fn remove(&self, number: &str) -> Result<(), Refused> {
        let id = self.id_of(number).await;
        let reply = self.send(self.api.remove(&self.id, number, &id)).await?;
        if self.api == Api::Frontegg {
            let otc = reply["otcToken"].as_str().expect("a token");
            let code = self.app.code(number).await;
            let confirm = self.api.confirm_removal(&id, otc, &code);
            self.send(confirm).await?;
        }
        Ok(())
    }
}

/// A call with any token.
pub async fn send(app: &TestApp, call: &Call, token: &str) -> Result<Value, Refused> {
    let outcome = answer(app, call, Some(token)).await.outcome();
    outcome.inspect_err(|refused| harmless(&format!("{call:?}"), &refused.look().2))
}

pub async fn answer(app: &TestApp, call: &Call, token: Option<&str>) -> Answer {
    let answer = call.send(&app.http, &app.url(""), token).await;
    answer.expect("an answer")
}
