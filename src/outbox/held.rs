//! Mail out of a tenant who is not served: it is put aside as it is, so that no sweep looks at it again, and let go when he is active again.

use super::{BATCH_MAX, Error, due_rows, given_up, name_of, replace, wake};
use crate::{
    ids::{Kind, TenantId, partition},
    ports::{Document, Ports, Scan, Slot, due_key},
};

/// The `k1` of a row that is held begins with this; its id follows. It is not due, so nothing finds it but [`release`].
const HELD: &str = "held:";
/// Rows that one call lets go.
pub const RELEASED_MAX: usize = 200;

/// Puts aside what is due in a tenant, without counting a try. Answers how many rows it was.
pub async fn hold(ports: &Ports, tenant: &TenantId) -> Result<usize, Error> {
    let found = due_rows(ports, tenant, ports.clock.now()).await?;
    let (more, mut held) = (found.len() == BATCH_MAX, 0);
    for document in found {
        held += usize::from(if given_up::ends(&document) {
            given_up::remove(ports, tenant, document).await?
        } else {
            let key = format!("{HELD}{}", document.id);
            moved(ports, document, key).await?
        });
    }
    // What is held or removed is due no more, so this comes to an end.
    if more && held > 0 {
        wake(ports, tenant).await?;
    }
    Ok(held)
}

/// Makes due what was held of a tenant, up to [`RELEASED_MAX`] rows, and has it sent. Answers how many it was; killed in between, it is called again.
pub async fn release(ports: &Ports, tenant: &TenantId) -> Result<usize, Error> {
    let place = partition(tenant, Kind::Outbox);
    let found = ports.documents.scan(&Scan::prefix(&place, Slot::K1, HELD, RELEASED_MAX)).await?;
    let (now, mut released) = (ports.clock.now(), 0);
    for document in found {
        let key = due_key(now, name_of(&document));
        released += usize::from(moved(ports, document, key).await?);
    }
    if released > 0 {
        wake(ports, tenant).await?;
    }
    Ok(released)
}

/// Gives a row, which is not opened for it, another `k1`. False if somebody else had it meanwhile.
async fn moved(ports: &Ports, stored: Document, key: String) -> Result<bool, Error> {
    let (place, [_, k2, k3, k4]) = (stored.partition.clone(), stored.keys.clone());
    Ok(replace(ports, &place, stored.under([Some(key), k2, k3, k4])).await?.is_some())
}
