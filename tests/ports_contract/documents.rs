//! What `Documents` promises.

use std::collections::BTreeSet;

use helpdesk::ports::{BODY_BYTES_MAX, COMMIT_BYTES_MAX, Clock, Document, Etag, Fault, NewDocument, Order, Scan, Slot, Watermark, Write, due_key};
use time::{Duration, OffsetDateTime};

use super::worlds::World;

const P: &str = "t:contoso";

pub async fn what_was_created_is_read_back(world: &World) {
    let documents = world.documents();
    let new = NewDocument {
        id: "ticket:01 'quoted' \"twice\" %$&@".to_owned(),
        kind: "ticket".to_owned(),
        keys: [Some("open:1".to_owned()), None, Some("x".to_owned()), None],
        expires_at: Some(world.clock.now() + Duration::hours(1)),
        body: (0..=255).collect(),
    };
    let etags = documents.commit(P, vec![Write::Create(new.clone())]).await.unwrap();
    let Document { partition, id, kind, keys, expires_at, body, etag } = documents.get(P, &new.id).await.unwrap().unwrap();
    assert_eq!(partition, P);
    assert_eq!(NewDocument { id, kind, keys, expires_at, body }, new);
    assert_eq!(vec![etag], etags);
}

pub async fn an_unknown_document_is_absent(world: &World) {
    assert_eq!(world.documents().get(P, "a").await, Ok(None));
    create(world, P, "b", b"").await;
    assert_eq!(world.documents().get(P, "a").await, Ok(None));
    assert_eq!(world.documents().get("t:fabrikam", "b").await, Ok(None));
}

pub async fn a_second_create_is_a_conflict(world: &World) {
    create(world, P, "a", b"first").await;
    assert_eq!(world.documents().commit(P, vec![Write::Create(new("a", b"second"))]).await, Err(Fault::Conflict));
    assert_eq!(body(world, "a").await, b"first");
}

pub async fn a_replace_needs_the_stored_version(world: &World) {
    let documents = world.documents();
    let first = create(world, P, "a", b"1").await;
    let replace = |body: &[u8], etag: &Etag| vec![Write::Replace { document: new("a", body), etag: etag.clone() }];
    let second = documents.commit(P, replace(b"2", &first)).await.unwrap().remove(0);
    assert_ne!(first, second);
    assert_eq!(documents.commit(P, replace(b"3", &first)).await, Err(Fault::Conflict));
    assert_eq!(documents.commit(P, replace(b"3", &Etag("of nobody".to_owned()))).await, Err(Fault::Conflict));
    assert_eq!(body(world, "a").await, b"2");
    assert_eq!(documents.get(P, "a").await.unwrap().unwrap().etag, second);
}

pub async fn a_delete_needs_the_stored_version(world: &World) {
    let documents = world.documents();
    let first = create(world, P, "a", b"1").await;
    let second = documents.commit(P, vec![Write::Replace { document: new("a", b"2"), etag: first.clone() }]).await.unwrap().remove(0);
    assert_eq!(documents.commit(P, vec![delete("a", &first)]).await, Err(Fault::Conflict));
    assert_eq!(documents.commit(P, vec![delete("a", &second)]).await, Ok(vec![second.clone()]));
    assert_eq!(documents.get(P, "a").await, Ok(None));
    assert_eq!(documents.commit(P, vec![delete("a", &second)]).await, Err(Fault::Conflict), "it was deleted already");
}

pub async fn a_purge_needs_the_stored_version_and_leaves_nothing(world: &World) {
    let documents = world.documents();
    let first = create(world, P, "a", b"1").await;
    let second = documents.commit(P, vec![Write::Replace { document: new("a", b"2"), etag: first.clone() }]).await.unwrap().remove(0);
    let purge = |etag: &Etag| vec![Write::Purge { id: "a".to_owned(), etag: etag.clone() }];
    assert_eq!(documents.commit(P, purge(&first)).await, Err(Fault::Conflict));
    assert_eq!(documents.commit(P, purge(&second)).await, Ok(vec![second.clone()]));
    assert_eq!(documents.get(P, "a").await, Ok(None));
    assert_eq!(documents.commit(P, purge(&second)).await, Err(Fault::Conflict), "it is gone already");
    assert_eq!(documents.changed_since(P, None, 10).await.unwrap().deleted, []);
    create(world, P, "a", b"3").await;
    assert_eq!(body(world, "a").await, b"3");
}

pub async fn a_replace_of_an_absent_document_is_a_conflict(world: &World) {
    let etag = create(world, P, "a", b"1").await;
    assert_eq!(world.documents().commit(P, vec![Write::Replace { document: new("b", b""), etag: etag.clone() }]).await, Err(Fault::Conflict));
    assert_eq!(world.documents().commit(P, vec![delete("b", &etag)]).await, Err(Fault::Conflict));
}

pub async fn one_conflict_undoes_the_whole_commit(world: &World) {
    let documents = world.documents();
    let etag = create(world, P, "a", b"1").await;
    let stale = documents.commit(P, vec![Write::Replace { document: new("a", b"2"), etag: etag.clone() }]).await.map(|_| etag).unwrap();
    let kept = create(world, P, "kept", b"kept").await;
    for culprit in [Write::Create(new("a", b"3")), Write::Replace { document: new("a", b"3"), etag: stale.clone() }, delete("a", &stale)] {
        let others = [Write::Create(new("b", b"")), Write::Replace { document: new("kept", b"lost"), etag: kept.clone() }];
        for place in 0..=2 {
            let mut writes = others.to_vec();
            writes.insert(place, culprit.clone());
            assert_eq!(documents.commit(P, writes).await, Err(Fault::Conflict), "{culprit:?} at {place}");
        }
    }
    assert_eq!(documents.get(P, "b").await, Ok(None));
    assert_eq!(body(world, "a").await, b"2");
    assert_eq!(documents.get(P, "kept").await.unwrap().unwrap().etag, kept);
}

pub async fn etags_come_in_the_order_of_the_writes(world: &World) {
    let documents = world.documents();
    let (a, b) = (create(world, P, "a", b"a").await, create(world, P, "b", b"b").await);
    let writes =
        vec![Write::Create(new("c", b"c")), delete("a", &a), Write::Replace { document: new("b", b"2"), etag: b }, Write::Create(new("d", b"d"))];
    let etags = documents.commit(P, writes).await.unwrap();
    assert_eq!(etags[1], a);
    for (place, id) in [(0, "c"), (2, "b"), (3, "d")] {
        assert_eq!(documents.get(P, id).await.unwrap().unwrap().etag, etags[place], "{id}");
    }
}

pub async fn a_commit_over_a_limit_is_refused(world: &World) {
    let documents = world.documents();
    let many = |count: usize, bytes: usize| (0..count).map(|at| Write::Create(new(&format!("m{at}"), &vec![0; bytes]))).collect::<Vec<_>>();
    for (what, writes) in [
        ("nothing", vec![]),
        ("101 writes", many(101, 1)),
        ("bodies", many(2, COMMIT_BYTES_MAX / 2 + 1)),
        ("one body", many(1, BODY_BYTES_MAX + 1)),
        ("one id twice", vec![Write::Create(new("m0", b"")), Write::Create(new("m0", b""))]),
        ("one id in two ways", vec![Write::Create(new("m0", b"")), delete("m0", &Etag("1".to_owned()))]),
    ] {
        assert!(matches!(documents.commit(P, writes).await, Err(Fault::Corrupt(_))), "{what}");
    }
    assert_eq!(documents.get(P, "m0").await, Ok(None));
}

pub async fn a_name_of_the_wrong_shape_is_refused(world: &World) {
    let documents = world.documents();
    for wrong in ["", "a/b", "a?b", "a#b", "a\\b", "a\nb", "ä", &"a".repeat(251)] {
        let with_key = NewDocument { keys: [None, None, None, Some(wrong.to_owned())], ..new("a", b"") };
        let with_kind = NewDocument { kind: wrong.to_owned(), ..new("a", b"") };
        for document in [new(wrong, b""), with_key, with_kind] {
            assert!(matches!(documents.commit(P, vec![Write::Create(document)]).await, Err(Fault::Corrupt(_))), "{wrong:?}");
        }
        assert!(matches!(documents.commit(P, vec![delete(wrong, &Etag("1".to_owned()))]).await, Err(Fault::Corrupt(_))), "{wrong:?}");
        assert!(matches!(documents.commit(wrong, vec![Write::Create(new("a", b""))]).await, Err(Fault::Corrupt(_))), "{wrong:?}");
        assert!(matches!(documents.get(P, wrong).await, Err(Fault::Corrupt(_))), "{wrong:?}");
    }
    create(world, P, &"a".repeat(250), b"the longest").await;
}

pub async fn the_largest_commit_is_taken(world: &World) {
    let bytes: Vec<u8> = (0..BODY_BYTES_MAX).map(|at| (at * 31 % 251) as u8).collect();
    let rest = vec![255; COMMIT_BYTES_MAX - BODY_BYTES_MAX];
    world.documents().commit(P, vec![Write::Create(new("a", &bytes)), Write::Create(new("b", &rest))]).await.unwrap();
    assert!(body(world, "a").await == bytes);
    assert!(body(world, "b").await == rest);
}

pub async fn a_commit_of_a_hundred_writes_is_taken(world: &World) {
    let writes = (0..100).map(|at| Write::Create(new(&format!("m{at:03}"), format!("{at}").as_bytes()))).collect();
    assert_eq!(world.documents().commit(P, writes).await.unwrap().len(), 100);
    assert_eq!(ids(world, &Scan::prefix(P, Slot::Id, "m", 200)).await.len(), 100);
}

pub async fn a_scan_runs_over_any_slot_in_both_orders(world: &World) {
    // Each slot holds the ids in an order of its own.
    for (id, keys) in [("1", ["c", "f", "g", "l"]), ("2", ["a", "e", "i", "k"]), ("3", ["b", "d", "h", "j"])] {
        create_with(world, P, NewDocument { keys: keys.map(|key| Some(key.to_owned())), ..new(id, b"") }).await;
    }
    create(world, P, "4", b"in no slot but its id").await;
    let wanted = [
        (Slot::Id, "1", "2 3 4", "1"),
        (Slot::K1, "2", "3 1", ""),
        (Slot::K2, "3", "2 1", ""),
        (Slot::K3, "1", "3 2", ""),
        (Slot::K4, "3", "2 1", ""),
    ];
    for (slot, first, others, _) in wanted {
        let ascending: Vec<&str> = std::iter::once(first).chain(others.split(' ')).collect();
        let mut scan = Scan { partition: P, slot, range: "".to_owned().."\u{7f}".to_owned(), order: Order::Ascending, limit: 10 };
        assert_eq!(ids(world, &scan).await, ascending, "{slot:?}");
        scan.limit = 2;
        assert_eq!(ids(world, &scan).await, ascending[..2], "{slot:?}");
        scan.order = Order::Descending;
        assert_eq!(ids(world, &scan).await, ascending.iter().rev().copied().take(2).collect::<Vec<_>>(), "{slot:?}");
        scan.limit = 0;
        assert!(ids(world, &scan).await.is_empty(), "{slot:?}");
    }
}

pub async fn a_scan_takes_its_start_and_leaves_its_end(world: &World) {
    for key in ["a", "b", "b!", "B", "c"] {
        create_with(world, P, NewDocument { keys: [None, Some(key.to_owned()), None, None], ..new(&format!("id {key}"), b"") }).await;
    }
    for (range, wanted) in [("b".."c", vec!["id b", "id b!"]), ("B".."b", vec!["id B", "id a"]), ("b".."b", vec![]), ("c".."b", vec![])] {
        let scan = Scan { partition: P, slot: Slot::K2, range: range.start.to_owned()..range.end.to_owned(), order: Order::Ascending, limit: 10 };
        assert_eq!(ids(world, &scan).await, wanted, "{range:?}");
    }
}

pub async fn a_scan_of_a_prefix_finds_no_more(world: &World) {
    for id in ["comment:1:a", "comment:1:~", "comment:1", "comment:10:a", "comment:2:a", "comment"] {
        create(world, P, id, b"").await;
    }
    assert_eq!(ids(world, &Scan::prefix(P, Slot::Id, "comment:1:", 10)).await, ["comment:1:a", "comment:1:~"]);
}

pub async fn a_scan_sees_only_keys_of_now(world: &World) {
    let with = |key: &str| NewDocument { keys: [Some(key.to_owned()), None, None, None], ..new("a", b"") };
    let first = create_with(world, P, with("open")).await;
    let second = world.documents().commit(P, vec![Write::Replace { document: with("closed"), etag: first }]).await.unwrap().remove(0);
    assert!(ids(world, &Scan::prefix(P, Slot::K1, "open", 10)).await.is_empty());
    assert_eq!(ids(world, &Scan::prefix(P, Slot::K1, "closed", 10)).await, ["a"]);
    world.documents().commit(P, vec![Write::Replace { document: new("a", b""), etag: second }]).await.unwrap();
    assert!(ids(world, &Scan::prefix(P, Slot::K1, "", 10)).await.is_empty());
}

pub async fn a_scan_goes_over_many_pages(world: &World) {
    // More bytes than a page of Cosmos DB holds.
    for at in 0..6 {
        create(world, P, &format!("big{at}"), &vec![at; BODY_BYTES_MAX]).await;
    }
    let found = world.documents().scan(&Scan::prefix(P, Slot::Id, "big", 5)).await.unwrap();
    assert_eq!(found.iter().map(|document| document.body[0]).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(found.iter().all(|document| document.body.len() == BODY_BYTES_MAX));
}

pub async fn an_expired_document_reads_as_absent(world: &World) {
    let documents = world.documents();
    let at = world.clock.now() + Duration::minutes(1);
    create_with(world, P, NewDocument { expires_at: Some(at), keys: due_keys(world.clock.now()), ..new("a", b"") }).await;
    create_with(world, P, NewDocument { keys: due_keys(world.clock.now()), ..new("b", b"") }).await;
    world.clock.advance(Duration::seconds(59));
    assert_eq!(ids(world, &Scan::prefix(P, Slot::Id, "", 10)).await, ["a", "b"]);
    assert_eq!(documents.due(None, world.clock.now(), 10).await.unwrap().len(), 2);
    world.clock.advance(Duration::seconds(1));
    assert_eq!(documents.get(P, "a").await, Ok(None));
    // The limit counts what is seen.
    assert_eq!(ids(world, &Scan::prefix(P, Slot::Id, "", 1)).await, ["b"]);
    assert_eq!(ids(world, &Scan::prefix(P, Slot::K1, "due:", 1)).await, ["b"]);
    assert_eq!(documents.due(None, world.clock.now(), 1).await.unwrap()[0].id, "b");
}

pub async fn an_expired_document_makes_room_for_a_create(world: &World) {
    let documents = world.documents();
    let at = world.clock.now() + Duration::minutes(1);
    let old = create_with(world, P, NewDocument { expires_at: Some(at), keys: due_keys(at), ..new("a", b"old") }).await;
    world.clock.advance(Duration::minutes(2));
    let fresh = create(world, P, "a", b"new").await;
    assert_ne!(old, fresh);
    let read = documents.get(P, "a").await.unwrap().unwrap();
    assert_eq!((read.body, read.expires_at, read.keys, read.etag), (b"new".to_vec(), None, [None, None, None, None], fresh));
    assert_eq!(documents.commit(P, vec![Write::Create(new("a", b"newer"))]).await, Err(Fault::Conflict));
}

pub async fn a_deleted_document_makes_room_for_a_create(world: &World) {
    let etag = create(world, P, "a", b"old").await;
    world.documents().commit(P, vec![delete("a", &etag)]).await.unwrap();
    assert!(ids(world, &Scan::prefix(P, Slot::Id, "", 10)).await.is_empty());
    create(world, P, "a", b"new").await;
    assert_eq!(body(world, "a").await, b"new");
    assert_eq!(ids(world, &Scan::prefix(P, Slot::Id, "", 10)).await, ["a"]);
    assert!(world.documents().changed_since(P, None, 10).await.unwrap().deleted.is_empty(), "what was created again is no longer deleted");
}

pub async fn a_create_over_remains_is_still_atomic(world: &World) {
    let documents = world.documents();
    for id in ["gone 1", "gone 2"] {
        let etag = create(world, P, id, b"").await;
        documents.commit(P, vec![delete(id, &etag)]).await.unwrap();
    }
    let etag = create(world, P, "live", b"live").await;
    let stale = Etag(format!("{}0", etag.0));
    let writes = |etag: &Etag| {
        let replace = Write::Replace { document: new("live", b"changed"), etag: etag.clone() };
        vec![Write::Create(new("gone 1", b"1")), Write::Create(new("fresh", b"")), replace, Write::Create(new("gone 2", b"2"))]
    };
    assert_eq!(documents.commit(P, writes(&stale)).await, Err(Fault::Conflict));
    assert_eq!(ids(world, &Scan::prefix(P, Slot::Id, "", 10)).await, ["live"]);
    documents.commit(P, writes(&etag)).await.unwrap();
    assert_eq!(ids(world, &Scan::prefix(P, Slot::Id, "", 10)).await, ["fresh", "gone 1", "gone 2", "live"]);
}

pub async fn a_live_document_is_not_taken_for_remains(world: &World) {
    let documents = world.documents();
    let gone = create(world, P, "gone", b"").await;
    documents.commit(P, vec![delete("gone", &gone)]).await.unwrap();
    create(world, P, "live", b"live").await;
    assert_eq!(documents.commit(P, vec![Write::Create(new("gone", b"")), Write::Create(new("live", b"lost"))]).await, Err(Fault::Conflict));
    assert_eq!(body(world, "live").await, b"live");
    assert_eq!(documents.get(P, "gone").await, Ok(None));
}

pub async fn changes_come_from_the_beginning(world: &World) {
    let etag = create(world, P, "a", b"1").await;
    create(world, P, "b", b"1").await;
    create(world, "t:fabrikam", "c", b"1").await;
    world.documents().commit(P, vec![Write::Replace { document: new("a", b"2"), etag }]).await.unwrap();
    let (changed, deleted, _) = all_changes(world, None, 10).await;
    assert_eq!(latest(&changed), [("a".to_owned(), b"2".to_vec()), ("b".to_owned(), b"1".to_vec())]);
    assert_eq!(deleted, []);
}

pub async fn changes_go_on_from_a_watermark(world: &World) {
    let etag = create(world, P, "a", b"1").await;
    create(world, P, "b", b"1").await;
    let (_, _, watermark) = all_changes(world, None, 10).await;
    let (changed, deleted, watermark) = all_changes(world, Some(watermark), 10).await;
    assert!(changed.is_empty() && deleted.is_empty(), "nothing happened since");
    let writes = vec![Write::Replace { document: new("a", b"2"), etag }, Write::Create(new("c", b"1"))];
    let etags = world.documents().commit(P, writes).await.unwrap();
    let (changed, deleted, _) = all_changes(world, Some(watermark.clone()), 10).await;
    assert_eq!(latest(&changed), [("a".to_owned(), b"2".to_vec()), ("c".to_owned(), b"1".to_vec())]);
    assert_eq!(changed.iter().find(|document| document.id == "a").unwrap().etag, etags[0]);
    assert_eq!(deleted, []);
    // The same watermark tells the same again: at least once.
    assert_eq!(latest(&all_changes(world, Some(watermark), 10).await.0).len(), 2);
}

pub async fn changes_come_in_parts(world: &World) {
    for at in 0..25 {
        create(world, P, &format!("m{at:02}"), b"").await;
    }
    let first = world.documents().changed_since(P, None, 4).await.unwrap();
    assert!(!first.caught_up && (1..=8).contains(&first.documents.len()), "{}", first.documents.len());
    let (changed, _, _) = all_changes(world, None, 4).await;
    assert_eq!(latest(&changed).len(), 25);
}

pub async fn a_deletion_is_told(world: &World) {
    let (a, _) = (create(world, P, "a", b"").await, create(world, P, "b", b"").await);
    let (_, _, watermark) = all_changes(world, None, 10).await;
    world.clock.advance(Duration::minutes(5));
    world.documents().commit(P, vec![delete("a", &a)]).await.unwrap();
    let deletion = ("a".to_owned(), world.clock.now());
    world.clock.advance(Duration::days(13));
    let (changed, deleted, _) = all_changes(world, Some(watermark), 10).await;
    assert!(changed.is_empty());
    assert_eq!(deleted, std::slice::from_ref(&deletion));
    let (changed, deleted, _) = all_changes(world, None, 10).await;
    assert_eq!(latest(&changed).len(), 1);
    assert_eq!(deleted, [deletion]);
}

pub async fn an_expired_document_is_no_change(world: &World) {
    create_with(world, P, NewDocument { expires_at: Some(world.clock.now() + Duration::minutes(1)), ..new("a", b"") }).await;
    create(world, P, "b", b"").await;
    assert_eq!(latest(&all_changes(world, None, 10).await.0).len(), 2);
    world.clock.advance(Duration::minutes(1));
    let (changed, deleted, _) = all_changes(world, None, 10).await;
    assert_eq!(latest(&changed), [("b".to_owned(), vec![])]);
    assert!(deleted.is_empty());
}

pub async fn a_foreign_watermark_is_refused(world: &World) {
    let foreign = Watermark("of another store".to_owned());
    assert!(matches!(world.documents().changed_since(P, Some(&foreign), 10).await, Err(Fault::Corrupt(_))));
}

pub async fn due_documents_of_all_partitions_come_most_overdue_first(world: &World) {
    let now = world.clock.now();
    // Many partitions, so that several physical ones of the emulator take part.
    for at in 0..12_i32 {
        let document = NewDocument { keys: due_keys(now - Duration::minutes(i64::from(at * 7 % 12))), ..new(&format!("o{}", at * 7 % 12), b"") };
        create_with(world, &format!("t:tenant{at}"), document).await;
    }
    create_with(world, P, NewDocument { keys: due_keys(now + Duration::milliseconds(1)), ..new("later", b"") }).await;
    create_with(world, P, NewDocument { keys: [Some("dud".to_owned()), None, None, None], ..new("other", b"") }).await;
    create_with(world, P, NewDocument { keys: [None, Some(due_key(now, "x")), None, None], ..new("in k2", b"") }).await;
    let due = world.documents().due(None, now, 100).await.unwrap();
    let wanted: Vec<String> = (0..12).rev().map(|minutes| format!("o{minutes}")).collect();
    assert_eq!(due.iter().map(|document| document.id.clone()).collect::<Vec<_>>(), wanted);
    assert_eq!(due.iter().map(|document| &document.partition).collect::<BTreeSet<_>>().len(), 12);
    let (mut pages, mut after) = (Vec::new(), None);
    for wanted in wanted.chunks(5) {
        let page = world.documents().due(after.as_deref(), now, 5).await.unwrap();
        assert_eq!(page.iter().map(|document| document.id.clone()).collect::<Vec<_>>(), wanted);
        after = page.last().unwrap().keys[0].clone();
        pages.push(page.len());
    }
    assert_eq!(pages, [5, 5, 2]);
    assert_eq!(world.documents().due(after.as_deref(), now, 5).await, Ok(vec![]));
}

pub async fn partitions_never_see_each_other(world: &World) {
    let documents = world.documents();
    let with = |body: &[u8]| NewDocument { keys: [Some("k".to_owned()), None, None, None], ..new("a", body) };
    let ours = create_with(world, P, with(b"ours")).await;
    let theirs = create_with(world, "t:contoso2", with(b"theirs")).await;
    assert_eq!(body(world, "a").await, b"ours");
    assert_eq!(documents.scan(&Scan::prefix(P, Slot::K1, "", 10)).await.unwrap().len(), 1);
    assert_eq!(documents.scan(&Scan::prefix("t:", Slot::Id, "", 10)).await, Ok(vec![]));
    assert_eq!(latest(&all_changes(world, None, 10).await.0).len(), 1);
    documents.commit("t:contoso2", vec![delete("a", &theirs)]).await.unwrap();
    assert_eq!(documents.get(P, "a").await.unwrap().unwrap().etag, ours);
    assert!(all_changes(world, None, 10).await.1.is_empty());
}

pub async fn of_many_replaces_at_once_one_wins(world: &World) {
    let mut etag = create(world, P, "a", b"0").await;
    for round in 0..5 {
        let commit = |writer: u8| {
            let (documents, etag) = (world.documents(), etag.clone());
            async move { documents.commit(P, vec![Write::Replace { document: new("a", &[round, writer]), etag }]).await }
        };
        let mut won = Vec::new();
        for (writer, result) in futures::future::join_all((0..8).map(commit)).await.into_iter().enumerate() {
            match result {
                Ok(etags) => won.push((writer as u8, etags)),
                Err(fault) => assert_eq!(fault, Fault::Conflict),
            }
        }
        assert_eq!(won.len(), 1);
        assert_eq!(body(world, "a").await, [round, won[0].0]);
        etag = won.remove(0).1.remove(0);
    }
}

pub async fn of_many_creates_at_once_one_wins(world: &World) {
    // Over a tombstone too, where the embedded store and Cosmos DB go different ways.
    for round in 0..3 {
        let create = |writer: u8| {
            let documents = world.documents();
            async move { documents.commit(P, vec![Write::Create(new("a", &[writer])), Write::Create(new(&format!("w{round}{writer}"), b""))]).await }
        };
        let results = futures::future::join_all((0..8).map(create)).await;
        let winners: Vec<usize> = (0..8).filter(|writer| results[*writer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        assert!(results.iter().all(|result| result.is_ok() || *result == Err(Fault::Conflict)), "{results:?}");
        assert_eq!(body(world, "a").await, [winners[0] as u8]);
        assert_eq!(ids(world, &Scan::prefix(P, Slot::Id, &format!("w{round}"), 10)).await.len(), 1);
        let etag = world.documents().get(P, "a").await.unwrap().unwrap().etag;
        world.documents().commit(P, vec![delete("a", &etag)]).await.unwrap();
    }
}

fn new(id: &str, body: &[u8]) -> NewDocument {
    NewDocument { id: id.to_owned(), kind: "thing".to_owned(), keys: [None, None, None, None], expires_at: None, body: body.to_vec() }
}

fn delete(id: &str, etag: &Etag) -> Write {
    Write::Delete { id: id.to_owned(), etag: etag.clone() }
}

fn due_keys(at: OffsetDateTime) -> [Option<String>; 4] {
    [Some(due_key(at, "x")), None, None, None]
}

async fn create(world: &World, partition: &str, id: &str, body: &[u8]) -> Etag {
    create_with(world, partition, new(id, body)).await
}

async fn create_with(world: &World, partition: &str, document: NewDocument) -> Etag {
    world.documents().commit(partition, vec![Write::Create(document)]).await.unwrap().remove(0)
}

async fn body(world: &World, id: &str) -> Vec<u8> {
    world.documents().get(P, id).await.unwrap().unwrap().body
}

async fn ids(world: &World, scan: &Scan<'_>) -> Vec<String> {
    let found: Vec<String> = world.documents().scan(scan).await.unwrap().into_iter().map(|document| document.id).collect();
    assert_eq!(world.documents().count(scan).await, Ok(found.len()), "{scan:?}");
    found
}

/// Everything up to now, each document perhaps more than once.
async fn all_changes(world: &World, mut watermark: Option<Watermark>, limit: usize) -> (Vec<Document>, Vec<(String, OffsetDateTime)>, Watermark) {
    let (mut documents, mut deleted) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let changes = world.documents().changed_since(P, watermark.as_ref(), limit).await.unwrap();
        documents.extend(changes.documents);
        deleted.extend(changes.deleted);
        watermark = Some(changes.watermark);
        if changes.caught_up {
            return (documents, deleted, watermark.unwrap());
        }
    }
    panic!("the changes never end");
}

fn latest(changed: &[Document]) -> Vec<(String, Vec<u8>)> {
    let set: BTreeSet<_> = changed.iter().map(|document| (document.id.clone(), document.body.clone())).collect();
    set.into_iter().collect()
}
