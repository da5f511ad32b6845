//! What `Blobs` promises.

use bytes::Bytes;
use helpdesk::ports::{Fault, Put};

use super::worlds::World;

const C: &str = "evidence";
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
    for size in [100, 1_000_000] {
        let name = size.to_string();
        let put = |writer: u8| {
            let (blobs, name) = (world.blobs(), name.clone());
            async move { blobs.put(C, &name, Bytes::from(vec![writer; size])).await.unwrap() }
        };
        let results = futures::future::join_all((0..8).map(put)).await;
        let creators: Vec<usize> = (0..8).filter(|writer| results[*writer] == Put::Created).collect();
        assert_eq!(creators.len(), 1, "{results:?}");
        assert!(world.blobs().get(C, &name, None).await == Ok(Some(Bytes::from(vec![creators[0] as u8; size]))));
    }
}

fn pattern(size: usize) -> Bytes {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}
