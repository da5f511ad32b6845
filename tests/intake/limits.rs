//! Too large, too long, too many at once: what an intake does at its limits.

use helpdesk::{
    devhost::{inbox::Inbox, queues::Wakes},
    tickets::unprocessed::Raw,
};
use super::take_what_waits;
use crate::support::world::{HELP, World};

#[tokio::test]
async fn a_mail_of_the_inbox_folder_that_is_too_large_is_kept_and_says_why() {
    let (world, state) = (World::new().await, tempfile::tempdir().unwrap());
    let folder = state.path().join("inbox").join(HELP);
    std::fs::create_dir_all(&folder).unwrap();
    let file = std::fs::File::create(folder.join("large.eml")).unwrap();
    file.set_len(35 * 1024 * 1024 + 1).unwrap();
    let quiet = std::time::SystemTime::from(world.ports.clock.now()) - std::time::Duration::from_secs(60);
    file.set_modified(quiet).unwrap();
    let mut inbox = Inbox::new(state.path(), world.ports.clone(), Wakes::of(&[]));
    assert_eq!((inbox.look().await.unwrap(), inbox.look().await.unwrap()), (0, 1));
    take_what_waits(&world).await;
    let records = world.unprocessed("contoso").await;
    assert_eq!((records.len(), records[0].reason.name()), (1, "unreadable"));
    assert!(records[0].detail.starts_with("the mail has 36700161 bytes, over the limit of 36700160"), "{}", records[0].detail);
    // It lies whole where the record says.
    let Raw::Intake { blob } = &records[0].raw else { panic!("{:?}", records[0].raw) };
    assert_eq!(world.ports.blobs.size("mail-intake", blob).await.unwrap(), Some(36_700_161));
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}
