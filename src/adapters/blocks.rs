//! Pieces of any size, gathered into blocks of one.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream::Fuse};

use crate::ports::{BLOB_BYTES_MAX, Fault, Pieces};

/// What is written of a blob, in blocks. One of them and one piece are in memory.
pub(super) struct Blocks<'a> {
    pieces: Fuse<Pieces<'a>>,
    rest: Bytes,
    block_bytes: usize,
    taken_bytes: u64,
}

impl<'a> Blocks<'a> {
    pub fn new(pieces: Pieces<'a>, block_bytes: usize) -> Blocks<'a> {
        // Asked once more after its end, which not every stream bears.
        Blocks { pieces: pieces.fuse(), rest: Bytes::new(), block_bytes, taken_bytes: 0 }
    }

    /// The next block. One that is shorter than the others is the last; none is empty.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let mut block = BytesMut::new();
        while block.len() < self.block_bytes {
            if self.rest.is_empty() {
                match self.pieces.try_next().await? {
                    Some(piece) => self.take(piece)?,
                    None => break,
                }
            }
            let part = self.rest.split_to(self.rest.len().min(self.block_bytes - block.len()));
            if part.len() == self.block_bytes {
                return Ok(Some(part));
            }
            block.extend_from_slice(&part);
        }
        Ok(Some(block.freeze()).filter(|block| !block.is_empty()))
    }

    fn take(&mut self, piece: Bytes) -> Result<(), Fault> {
        self.taken_bytes = self.taken_bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.taken_bytes > BLOB_BYTES_MAX {
            return Err(Fault::Corrupt(format!("a blob has more than {BLOB_BYTES_MAX} bytes")));
        }
        self.rest = piece;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn blocks_of(pieces: Vec<Result<Bytes, Fault>>, block_bytes: usize) -> Result<Vec<Bytes>, Fault> {
        let mut blocks = Blocks::new(stream::iter(pieces).boxed(), block_bytes);
        let mut all = Vec::new();
        while let Some(block) = blocks.next().await? {
            all.push(block);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn all_blocks_but_the_last_have_one_size_whatever_the_pieces_are() {
        let bytes: Vec<u8> = (0..40).collect();
        for piece_bytes in 1..=41 {
            for block_bytes in 1..=41 {
                let pieces = bytes.chunks(piece_bytes).flat_map(|piece| [Ok(Bytes::new()), Ok(Bytes::copy_from_slice(piece))]).collect();
                let blocks = blocks_of(pieces, block_bytes).await.unwrap();
                let expected: Vec<&[u8]> = bytes.chunks(block_bytes).collect();
                assert_eq!(blocks, expected, "pieces of {piece_bytes}, blocks of {block_bytes}");
            }
        }
        assert!(blocks_of(Vec::new(), 10).await.unwrap().is_empty());
        assert!(blocks_of(vec![Ok(Bytes::new())], 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_stream_is_not_asked_again_after_its_end() {
        // This one panics if it is.
        let pieces = stream::unfold(0, async |at| (at < 3).then(|| (Ok(Bytes::from_static(b"0123456789")), at + 1)));
        let mut blocks = Blocks::new(pieces.boxed(), 20);
        assert_eq!(blocks.next().await.unwrap().unwrap().len(), 20);
        assert_eq!(blocks.next().await.unwrap().unwrap().len(), 10);
        assert_eq!((blocks.next().await, blocks.next().await), (Ok(None), Ok(None)));
    }

    #[tokio::test]
    async fn a_fault_among_the_pieces_ends_the_blocks() {
        let pieces = vec![Ok(Bytes::from_static(b"0123456789")), Err(Fault::Conflict), Ok(Bytes::from_static(b"more"))];
        assert_eq!(blocks_of(pieces, 4).await, Err(Fault::Conflict));
    }

    #[tokio::test]
    async fn more_than_a_blob_may_have_is_refused() {
        // The same megabytes again and again: nothing is copied.
        let piece = Bytes::from(vec![0; 32 * 1024 * 1024]);
        let most = usize::try_from(BLOB_BYTES_MAX).unwrap() / piece.len();
        let pieces = |count: usize, more: &'static [u8]| {
            let pieces = stream::iter(std::iter::repeat_n(piece.clone(), count)).chain(stream::iter([Bytes::from_static(more)])).map(Ok);
            Blocks::new(pieces.boxed(), piece.len())
        };
        let mut enough = pieces(most, b"");
        while enough.next().await.unwrap().is_some() {}
        let mut more = pieces(most, b"1");
        let refused = loop {
            if let Err(fault) = more.next().await {
                break fault;
            }
        };
        assert!(matches!(refused, Fault::Corrupt(_)));
    }
}
