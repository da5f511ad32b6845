//! What a timer does for one tenant after the other.

use futures::future::BoxFuture;

use super::App;
use crate::{
    tenants::{self, Tenant},
    tickets,
};

/// The work for one of them.
pub type Work = for<'a> fn(&'a App, Tenant) -> BoxFuture<'a, Result<usize, tickets::Error>>;

/// Works for each tenant, and adds up what was done. One tenant's trouble is not another's: all have their turn, then the first trouble is told.
pub async fn of_each_tenant(app: &App, work: Work) -> Result<usize, tickets::Error> {
    let (mut done, mut trouble) = (0, None);
    for tenant in tenants::list(app.ports.documents.as_ref(), &app.keyring).await? {
        match work(app, tenant).await {
            Ok(more) => done += more,
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    trouble.map_or(Ok(done), Err)
}
