//! What a timer does for one tenant after the other.

use futures::future::BoxFuture;
use time::Duration;

use super::App;
use crate::{
    tenants::{self, Tenant},
    tickets,
};

/// The work for one of them.
pub type Work = for<'a> fn(&'a App, Tenant) -> BoxFuture<'a, Result<usize, tickets::Error>>;

/// After this long no further tenant has his turn: one turn more ends before the deadline of a function.
const WORKING_MAX: Duration = Duration::minutes(2);

/// Works for each tenant, and adds up what was done. One tenant's trouble is not another's: all have their turn, then the first trouble is told. It begins
/// with any of them, so that whoever is left out, because the others took long, is not left out the next time too.
pub async fn of_each_tenant(app: &App, work: Work) -> Result<usize, tickets::Error> {
    let (mut done, mut trouble) = (0, None);
    let mut tenants = tenants::list(app.ports.documents.as_ref(), &app.keyring).await?;
    let began = app.ports.clock.now();
    let mut random = [0; 8];
    app.ports.entropy.fill(&mut random);
    let first = u64::from_be_bytes(random).checked_rem(tenants.len() as u64).unwrap_or_default();
    tenants.rotate_left(first as usize);
    for (at, tenant) in tenants.into_iter().enumerate() {
        if app.ports.clock.now() - began >= WORKING_MAX {
            tracing::warn!(tenants = at, "not every tenant had his turn; the next run begins elsewhere");
            break;
        }
        match work(app, tenant).await {
            Ok(more) => done += more,
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    trouble.map_or(Ok(done), Err)
}
