//! What `Blobs` promises.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use helpdesk::ports::{Fault, Pieces, Put};

use super::worlds::World;

const C: &str = "evidence";
const MIB: usize = 1024 * 1024;
/// Sizes on both sides of where a store may change its ways.
const SIZES: [usize; 5] = [0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_000];

pub async fn what_was_put_is_read_back(world: &World) {
    let blobs = world.blobs();
    for size in SIZES {
        let name = format!("a/B-c_d.e/{size}");
        assert_eq!(blobs.size(C, &name).await, Ok(None));
        assert_eq!(blobs.get(C, &name, None).await, Ok(None));
        assert_eq!(blobs.put(C, &name, pattern(size)).await, Ok(Put::Created));
        assert_eq!(blobs.size(C, &name).await, Ok(Some(size as u64)));
        assert!(blobs.get(C, &name, None).await == Ok(Some(pattern(size))), "{size}");
    }
}

pub async fn a_second_put_leaves_the_first(world: &World) {
    let blobs = world.blobs();
    for (first, second) in [(10, 20), (10, 3_000_000), (3_000_000, 10), (3_000_000, 2_000_000)] {
        let name = format!("{first}-{second}");
        assert_eq!(blobs.put(C, &name, pattern(first)).await, Ok(Put::Created));
        assert_eq!(blobs.put(C, &name, pattern(second)).await, Ok(Put::Existed));
        assert!(blobs.get(C, &name, None).await == Ok(Some(pattern(first))), "{name}");
    }
}

pub async fn what_was_put_in_pieces_is_read_back(world: &World) {
    let blobs = world.blobs();
    for size in SIZES.into_iter().chain([MIB, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 8 * MIB, 9 * MIB + 5]) {
        for piece_bytes in [100_003, 4 * MIB, 20 * MIB] {
            let name = format!("{size}/{piece_bytes}");
            assert_eq!(blobs.put_pieces(C, &name, pieces(size, piece_bytes)).await, Ok(Put::Created), "{name}");
            assert_eq!(blobs.size(C, &name).await, Ok(Some(size as u64)));
            assert!(blobs.get(C, &name, None).await == Ok(Some(pattern(size))), "{name}");
        }
    }
    assert_eq!(blobs.list(C, "", None, 100).await.unwrap().len(), 11 * 3);
}

pub async fn a_second_put_in_pieces_leaves_the_first(world: &World) {
    let blobs = world.blobs();
    for (first, second) in [(10, 20), (10, 9 * MIB), (9 * MIB, 10), (9 * MIB, 8 * MIB)] {
        let name = format!("{first}-{second}");
        assert_eq!(blobs.put_pieces(C, &name, pieces(first, 1000)).await, Ok(Put::Created));
        assert_eq!(blobs.put_pieces(C, &name, pieces(second, 1000)).await, Ok(Put::Existed));
        assert_eq!(blobs.put(C, &name, pattern(second)).await, Ok(Put::Existed));
        assert!(blobs.get(C, &name, None).await == Ok(Some(pattern(first))), "{name}");
    }
}

pub async fn nothing_is_seen_of_pieces_that_break_off(world: &World) {
    let blobs = world.blobs();
    for size in [0, 1000, 300_000, 3 * MIB, 9 * MIB] {
        let name = size.to_string();
        let told = Fault::Unavailable("the pieces' own words".to_owned());
        let broken = pieces(size, 100_000).chain(stream::iter([Err(told.clone()), Ok(Bytes::from_static(b"more"))]));
        assert_eq!(blobs.put_pieces(C, &name, broken.boxed()).await, Err(told));
        // Whoever is killed asks for no further piece either.
        let unending = pieces(size, 100_000).chain(stream::pending());
        let killed = tokio::time::timeout(std::time::Duration::from_millis(300), blobs.put_pieces(C, &name, unending.boxed())).await;
        assert!(killed.is_err());
        assert_eq!(blobs.size(C, &name).await, Ok(None));
        assert_eq!(blobs.get(C, &name, None).await, Ok(None));
        assert!(blobs.list(C, "", None, 10).await.unwrap().is_empty());
        assert_eq!(blobs.put_pieces(C, &name, pieces(size, 70_000)).await, Ok(Put::Created));
        assert!(blobs.get(C, &name, None).await == Ok(Some(pattern(size))), "{name}");
        blobs.delete(C, &name).await.unwrap();
    }
}

pub async fn pieces_are_not_in_memory_all_at_once(world: &World) {
    const PIECES: usize = 12;
    let held = Arc::new(Held::default());
    let (counted, all) = (held.clone(), pattern(4 * MIB));
    let piece = move |_| Ok(Bytes::from_owner(Piece::of(&all, &counted)));
    assert_eq!(world.blobs().put_pieces(C, "large", stream::iter(0..PIECES).map(piece).boxed()).await, Ok(Put::Created));
    assert_eq!(world.blobs().size(C, "large").await, Ok(Some((PIECES * 4 * MIB) as u64)));
    let most = held.most.load(Ordering::SeqCst);
    assert!((1..=3).contains(&most), "{most} of {PIECES} pieces were held at once");
}

pub async fn a_range_reads_the_part_that_exists(world: &World) {
    let blobs = world.blobs();
    for size in [1000, 1_000_000] {
        let (name, all) = (size.to_string(), pattern(size));
        blobs.put(C, &name, all.clone()).await.unwrap();
        let end = size as u64;
        for range in [0..1, 10..20, 0..end, end - 5..end, end - 5..end + 5, end..end + 5, end + 5..end + 10, 7..7, 0..u64::MAX, u64::MAX..u64::MAX] {
            let part = all.slice(range.start.min(end) as usize..range.end.min(end) as usize);
            assert_eq!(blobs.get(C, &name, Some(range.clone())).await, Ok(Some(part)), "{range:?} of {size}");
        }
    }
    assert_eq!(blobs.get(C, "none", Some(0..1)).await, Ok(None));
}

pub async fn names_are_listed_in_order_and_by_page(world: &World) {
    let blobs = world.blobs();
    for name in ["t/2", "t/1", "t/10", "T/1", "t2/1", "t/3", "t"] {
        blobs.put(C, name, pattern(3)).await.unwrap();
    }
    assert_eq!(blobs.list(C, "t/", None, 10).await.unwrap(), ["t/1", "t/10", "t/2", "t/3"]);
    assert_eq!(blobs.list(C, "t/", None, 2).await.unwrap(), ["t/1", "t/10"]);
    assert_eq!(blobs.list(C, "t/", Some("t/10"), 2).await.unwrap(), ["t/2", "t/3"]);
    assert_eq!(blobs.list(C, "", None, 10).await.unwrap(), ["T/1", "t", "t/1", "t/10", "t/2", "t/3", "t2/1"]);
    assert!(blobs.list(C, "t/", Some("t/3"), 2).await.unwrap().is_empty());
    assert_eq!(blobs.list(C, "t/", Some("a name before all"), 1).await.unwrap(), ["t/1"]);
    assert!(blobs.list(C, "t/", Some("u"), 2).await.unwrap().is_empty());
}

pub async fn a_deleted_blob_is_absent_at_once(world: &World) {
    let blobs = world.blobs();
    for size in SIZES {
        let name = format!("b/{size}");
        blobs.put(C, &name, pattern(size)).await.unwrap();
        blobs.delete(C, &name).await.unwrap();
        assert_eq!(blobs.get(C, &name, None).await, Ok(None));
        assert_eq!(blobs.size(C, &name).await, Ok(None));
        assert!(blobs.list(C, "b/", None, 10).await.unwrap().is_empty());
        assert_eq!(blobs.delete(C, &name).await, Ok(()), "it is absent already");
    }
}

pub async fn a_deleted_name_can_be_put_again(world: &World) {
    let blobs = world.blobs();
    for (first, second) in [(10, 20), (3_000_000, 10), (10, 3_000_000), (3_000_000, 2_000_000)] {
        for _ in 0..3 {
            assert_eq!(blobs.put(C, "a", pattern(first)).await, Ok(Put::Created));
            blobs.delete(C, "a").await.unwrap();
            assert_eq!(blobs.put(C, "a", pattern(second)).await, Ok(Put::Created));
            assert!(blobs.get(C, "a", None).await == Ok(Some(pattern(second))), "{first} {second}");
            assert_eq!(blobs.list(C, "", None, 10).await.unwrap(), ["a"]);
            blobs.delete(C, "a").await.unwrap();
        }
    }
}

pub async fn a_name_of_the_wrong_shape_is_refused(world: &World) {
    let blobs = world.blobs();
    for wrong in ["", "/a", "a/", "a//b", "..", "a/../b", ".", "./a", "a b", "a\\b", "ä", "a\0", &"a".repeat(501)] {
        assert!(matches!(blobs.put(C, wrong, pattern(1)).await, Err(Fault::Corrupt(_))), "{wrong:?}");
        assert!(matches!(blobs.put_pieces(C, wrong, pieces(1, 1)).await, Err(Fault::Corrupt(_))), "{wrong:?}");
        assert!(matches!(blobs.get(C, wrong, None).await, Err(Fault::Corrupt(_))), "{wrong:?}");
        assert!(matches!(blobs.delete(C, wrong).await, Err(Fault::Corrupt(_))), "{wrong:?}");
    }
    for wrong in ["", "ab", "Upper", "a/b", "..", &"a".repeat(64)] {
        assert!(matches!(blobs.put(wrong, "a", pattern(1)).await, Err(Fault::Corrupt(_))), "{wrong:?}");
    }
    for right in ["...", "a/..b/c..", &"a".repeat(500)] {
        assert_eq!(blobs.put(C, right, pattern(1)).await, Ok(Put::Created), "{right:?}");
    }
}

pub async fn containers_never_see_each_other(world: &World) {
    let blobs = world.blobs();
    blobs.put("one", "a", pattern(1)).await.unwrap();
    assert_eq!(blobs.put("two", "a", pattern(2)).await, Ok(Put::Created));
    blobs.delete("one", "a").await.unwrap();
    assert_eq!(blobs.size("two", "a").await, Ok(Some(2)));
    assert_eq!(blobs.list("two", "", None, 10).await.unwrap(), ["a"]);
}

pub async fn of_many_puts_at_once_one_creates(world: &World) {
    for size in [100, 1_000_000, 9 * MIB] {
        let name = size.to_string();
        let put = |writer: u8| {
            let (blobs, name, bytes) = (world.blobs(), name.clone(), Bytes::from(vec![writer; size]));
            async move {
                let put = match writer % 2 {
                    0 => blobs.put(C, &name, bytes).await,
                    _ => blobs.put_pieces(C, &name, stream::iter([Ok(bytes)]).boxed()).await,
                };
                put.unwrap()
            }
        };
        let results = futures::future::join_all((0..8).map(put)).await;
        let creators: Vec<usize> = (0..8).filter(|writer| results[*writer] == Put::Created).collect();
        assert_eq!(creators.len(), 1, "{results:?}");
        assert!(world.blobs().get(C, &name, None).await == Ok(Some(Bytes::from(vec![creators[0] as u8; size]))));
    }
}

fn pattern(size: usize) -> Bytes {
    let period: Vec<u8> = (0..251).map(|at| (at * 31 % 251) as u8).collect();
    let mut bytes = period.repeat(size / period.len() + 1);
    bytes.truncate(size);
    Bytes::from(bytes)
}

/// The same bytes, in pieces.
fn pieces(size: usize, piece_bytes: usize) -> Pieces<'static> {
    let all = pattern(size);
    stream::iter((0..size).step_by(piece_bytes)).map(move |at| Ok(all.slice(at..size.min(at + piece_bytes)))).boxed()
}

/// How many pieces somebody holds, and the most that it ever was.
#[derive(Default)]
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Piece {
    bytes: Bytes,
    held: Arc<Held>,
}

impl Piece {
    fn of(bytes: &Bytes, held: &Arc<Held>) -> Piece {
        let now = held.now.fetch_add(1, Ordering::SeqCst) + 1;
        held.most.fetch_max(now, Ordering::SeqCst);
        Piece { bytes: bytes.clone(), held: held.clone() }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.held.now.fetch_sub(1, Ordering::SeqCst);
    }
}
