//! Reads: which account a caller sees.

use crate::refusal::Refusal;
use crate::rights::Call;
use crate::{Account, Caller};

/// The account that a caller sees under a user id, of those that have it: all there are in the organisations
/// that [`Caller::target`] means, two at least where they are more.
///
/// # Errors
/// [`Refusal::AccountNotFound`] also for an account that the caller must not tell from none;
/// [`Refusal::AccountAmbiguous`]; [`Refusal::PermissionDenied`].
pub fn view<A: AsRef<Account>>(caller: &Caller, id: &str, found: Vec<A>) -> Result<A, Refusal> {
    view_for(Call::Read, caller, id, found)
}

/// The same for whoever wants to know of [`Account::proof`] alone.
///
/// # Errors
/// As of [`view`].
pub fn view_proof<A: AsRef<Account>>(
    caller: &Caller,
    id: &str,
    found: Vec<A>,
) -> Result<A, Refusal> {
    view_for(Call::ReadProof, caller, id, found)
}

fn view_for<A: AsRef<Account>>(
    call: Call,
    caller: &Caller,
    id: &str,
    found: Vec<A>,
) -> Result<A, Refusal> {
    let organizations = found
        .iter()
        .map(|account| account.as_ref().organization.as_str());
    let organization = caller.target(id).resolve(organizations)?.to_owned();
    let account = found
        .into_iter()
        .find(|account| account.as_ref().organization == organization)
        .ok_or(Refusal::AccountNotFound)?;
    caller.capacity(id, &organization, call)?;
    Ok(account)
}
