//! Mail that is dropped into a folder.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    sync::atomic::Ordering,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use helpdesk::{
    devhost::{
        inbox::{FILE_BYTES_MAX, Inbox, NotFed, QUIET_FOR, SENDING, SENDING_MAX, feed},
        queues::Wakes,
    },
    ports::{Clock, decode_text},
};

use sha2::{Digest, Sha256};

use super::fakes::World;

const MAILBOX: &str = "help@contoso.example";

struct Desk {
    world: World,
    state: tempfile::TempDir,
    inbox: Inbox,
}

fn desk() -> Desk {
    let (world, state) = (World::new(), tempfile::tempdir().unwrap());
    fs::create_dir_all(state.path().join("inbox").join(MAILBOX)).unwrap();
    let inbox = Inbox::new(state.path(), world.ports.clone(), Wakes::of(&[]));
    Desk { world, state, inbox }
}

impl Desk {
    fn path(&self, name: &str) -> PathBuf {
        self.state.path().join("inbox").join(MAILBOX).join(name)
    }

    /// Nobody has written to it for a while.
    fn drop_mail(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        self.changed(name, QUIET_FOR);
    }

    /// Says how long ago a file was changed.
    fn changed(&self, name: &str, ago: Duration) {
        let at = SystemTime::from(self.world.clock.now()) - ago;
        fs::File::options().write(true).open(self.path(name)).unwrap().set_modified(at).unwrap();
    }

    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state.path().join("inbox").join(MAILBOX)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn messages(&self) -> Vec<String> {
        self.world.queues.texts("mail-intake").iter().map(|text| decode_text(text).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_mail_becomes_a_blob_and_a_message() {
    let mut desk = desk();
    desk.drop_mail("one.eml", "From: a@b.example\r\n\r\nhi");
    assert_eq!(desk.inbox.look().await.unwrap(), 0, "it may still be written");
    assert_eq!(desk.inbox.look().await.unwrap(), 1);
    let digest: String = Sha256::digest(format!("{MAILBOX}\0From: a@b.example\r\n\r\nhi")).iter().map(|byte| format!("{byte:02x}")).collect();
    let blob = format!("inbox/{digest}.eml");
    let stored: Vec<String> = desk.world.blobs.stored.lock().unwrap().keys().cloned().collect();
    assert_eq!(stored, [format!("mail-intake/{blob}")]);
    assert_eq!(desk.messages(), [format!(r#"{{"v":1,"mailbox":"{MAILBOX}","blob":"{blob}"}}"#)]);
    assert!(desk.left().is_empty());
}

#[tokio::test]
async fn a_mail_that_is_still_written_waits() {
    let mut desk = desk();
    desk.drop_mail("one.eml", "From: a@b");
    desk.inbox.look().await.unwrap();
    desk.drop_mail("one.eml", "From: a@b.example\r\n\r\nhi");
    assert_eq!(desk.inbox.look().await.unwrap(), 0);
    assert_eq!(desk.inbox.look().await.unwrap(), 1);
}

#[tokio::test]
async fn a_writer_may_pause() {
    let mut desk = desk();
    desk.drop_mail("one.eml", "From: a@b");
    desk.changed("one.eml", QUIET_FOR / 2);
    for _ in 0..3 {
        assert_eq!(desk.inbox.look().await.unwrap(), 0);
    }
    desk.world.clock.advance(QUIET_FOR);
    assert_eq!(desk.inbox.look().await.unwrap(), 1);
    // A time of change that lies far ahead says nothing.
    desk.drop_mail("two.eml", "x");
    let ahead = SystemTime::from(desk.world.clock.now()) + Duration::from_secs(3600);
    fs::File::options().write(true).open(desk.path("two.eml")).unwrap().set_modified(ahead).unwrap();
    desk.inbox.look().await.unwrap();
    assert_eq!(desk.inbox.look().await.unwrap(), 1);
}

#[tokio::test]
async fn a_mail_in_place_of_another_waits() {
    let mut desk = desk();
    desk.drop_mail("one.eml", "old");
    desk.inbox.look().await.unwrap();
    desk.drop_mail(".new", "new");
    fs::rename(desk.path(".new"), desk.path("one.eml")).unwrap();
    assert_eq!(desk.inbox.look().await.unwrap(), 0, "its size and time are the same");
    assert_eq!(desk.inbox.look().await.unwrap(), 1);
}

#[tokio::test]
async fn a_taking_that_was_interrupted_is_begun_again() {
    let mut desk = desk();
    desk.drop_mail(".taking-0123456789abcdef0123456789abcdef.eml", "x");
    for _ in 0..2 {
        assert_eq!(desk.inbox.look().await.unwrap(), 0);
    }
    desk.inbox.restore().await;
    assert_eq!(desk.left(), ["0123456789abcdef0123456789abcdef.eml"]);
    desk.inbox.look().await.unwrap();
    assert_eq!(desk.inbox.look().await.unwrap(), 1);
    assert!(desk.left().is_empty());
}

#[tokio::test]
async fn what_was_being_taken_is_found_among_any_number_of_mails() {
    let desk = desk();
    for number in 0..1500 {
        fs::write(desk.path(&format!("{number}.eml")), "x").unwrap();
    }
    let hidden: Vec<String> = (0..50).map(|number| format!(".taking-{number:032x}.eml")).collect();
    hidden.iter().for_each(|name| fs::write(desk.path(name), "x").unwrap());
    desk.inbox.restore().await;
    assert_eq!(desk.left().len(), 1550);
    assert!(hidden.iter().all(|name| !desk.path(name).exists()));
}

#[tokio::test]
async fn any_number_of_mailboxes_has_its_mail_taken_in() {
    let mut desk = desk();
    for number in 0..1300 {
        fs::create_dir(desk.path(&format!("../{number}@contoso.example"))).unwrap();
        desk.drop_mail(&format!("../{number}@contoso.example/one.eml"), "x");
    }
    let mut taken = 0;
    for _ in 0..5 {
        taken += desk.inbox.look().await.unwrap();
    }
    assert_eq!(taken, 1300);
}

#[tokio::test]
async fn a_mail_whose_sending_was_interrupted_goes_at_the_next_start() {
    let desk = desk();
    let (old, new) = (format!("{SENDING}old"), format!("{SENDING}new"));
    for (name, ago) in [(old.as_str(), SENDING_MAX), (new.as_str(), SENDING_MAX - Duration::from_secs(1)), (".somebodys-own", SENDING_MAX * 100)] {
        desk.drop_mail(name, "a mail in clear");
        desk.changed(name, ago);
    }
    desk.inbox.restore().await;
    assert_eq!(desk.left(), [new.as_str(), ".somebodys-own"]);
}

#[tokio::test]
async fn who_goes_on_writing_while_a_mail_is_stored_loses_nothing() {
    let mut desk = desk();
    desk.drop_mail("one.eml", "From: a@b.example\r\n\r\nhi");
    desk.inbox.look().await.unwrap();
    let mut writer = fs::File::options().append(true).open(desk.path("one.eml")).unwrap();
    *desk.world.blobs.meanwhile.lock().unwrap() = Some(Box::new(move || writer.write_all(b", and more").unwrap()));
    assert_eq!(desk.inbox.look().await.unwrap(), 1);
    assert_eq!(fs::read_to_string(desk.path("one.eml")).unwrap(), "From: a@b.example\r\n\r\nhi, and more");
    desk.changed("one.eml", QUIET_FOR);
    desk.inbox.look().await.unwrap();
    assert_eq!(desk.inbox.look().await.unwrap(), 1);
    assert_eq!((desk.messages().len(), desk.left().len()), (2, 0));
}

#[tokio::test]
async fn a_mail_that_is_not_stored_keeps_no_other_from_it() {
    let mut desk = desk();
    for number in 0..40 {
        desk.drop_mail(&format!("{number}.eml"), if number % 20 == 0 { "a long mail" } else { "short" });
    }
    desk.world.blobs.refuses_from.store(10, Ordering::Relaxed);
    desk.inbox.look().await.unwrap();
    for _ in 0..3 {
        assert!(desk.inbox.look().await.is_err());
    }
    assert_eq!(desk.left(), ["0.eml", "20.eml"]);
    desk.world.blobs.refuses_from.store(0, Ordering::Relaxed);
    assert_eq!(desk.inbox.look().await.unwrap(), 2);
}

#[tokio::test]
async fn a_folder_that_is_no_address_is_left() {
    let mut desk = desk();
    desk.drop_mail("one.eml", "x");
    fs::rename(desk.state.path().join("inbox").join(MAILBOX), desk.state.path().join("inbox").join("help")).unwrap();
    for _ in 0..3 {
        assert_eq!(desk.inbox.look().await.unwrap(), 0);
    }
    assert!(desk.state.path().join("inbox").join("help").join("one.eml").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_behind_a_link_is_left() {
    let mut desk = desk();
    desk.drop_mail("one.eml", "x");
    let (inbox, elsewhere) = (desk.state.path().join("inbox").join(MAILBOX), tempfile::tempdir().unwrap());
    fs::rename(&inbox, elsewhere.path().join("mails")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("mails"), &inbox).unwrap();
    for _ in 0..3 {
        assert_eq!(desk.inbox.look().await.unwrap(), 0);
    }
    assert!(desk.path("one.eml").exists());
}

#[tokio::test]
async fn hidden_and_other_files_are_left() {
    let mut desk = desk();
    for name in [".one.eml", "two.txt", "three.eml.part"] {
        desk.drop_mail(name, "x");
    }
    for _ in 0..3 {
        assert_eq!(desk.inbox.look().await.unwrap(), 0);
    }
    assert_eq!(desk.left().len(), 3);
}

#[tokio::test]
async fn nothing_is_lost_when_the_queue_refuses() {
    let mut desk = desk();
    desk.drop_mail("one.eml", "x");
    desk.inbox.look().await.unwrap();
    desk.world.queues.refuses_sends.store(true, Ordering::Relaxed);
    assert!(matches!(desk.inbox.look().await, Err(NotFed::Store(_))));
    assert_eq!(desk.left(), ["one.eml"]);
    desk.world.queues.refuses_sends.store(false, Ordering::Relaxed);
    assert_eq!(desk.inbox.look().await.unwrap(), 1);
    assert_eq!((desk.messages().len(), desk.world.blobs.stored.lock().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn a_file_that_can_be_no_mail_is_set_aside() {
    let mut desk = desk();
    desk.drop_mail("one.eml", "");
    fs::File::options().write(true).open(desk.path("one.eml")).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
    desk.changed("one.eml", QUIET_FOR);
    for _ in 0..3 {
        assert_eq!(desk.inbox.look().await.unwrap(), 0);
    }
    assert_eq!(desk.left(), ["one.eml.too-large"]);
    // Another one of the same name does not take its place.
    desk.drop_mail("one.eml", "");
    fs::File::options().write(true).open(desk.path("one.eml")).unwrap().set_len(FILE_BYTES_MAX + 2).unwrap();
    desk.changed("one.eml", QUIET_FOR);
    for _ in 0..3 {
        assert_eq!(desk.inbox.look().await.unwrap(), 0);
    }
    let left = desk.left();
    assert!(left.len() == 2 && left.iter().all(|name| name.starts_with("one.eml.") && name.ends_with("too-large")), "{left:?}");
    assert!(desk.messages().is_empty());
}

#[tokio::test]
async fn the_same_mail_has_the_same_blob_only_in_the_same_mailbox() {
    let world = World::new();
    let mail = Bytes::from_static(b"x");
    let first = feed(&world.ports, MAILBOX, mail.clone()).await.unwrap();
    assert_eq!(feed(&world.ports, MAILBOX, mail.clone()).await.unwrap(), first);
    assert_ne!(feed(&world.ports, "other@contoso.example", mail).await.unwrap(), first);
    assert_eq!(world.blobs.stored.lock().unwrap().len(), 2);
}
