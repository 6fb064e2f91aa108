//! The Merkle tree of a transparency log (RFC 6962): what it takes to believe
//! that a record is in a tree, and that a newer tree extends an older one.
//!
//! Proofs are put together from tiles, whose bytes nobody has signed. That is
//! sound, because a proof is worth nothing until the root that it leads to is the
//! signed one.

use super::sha256::Hasher;
use std::fmt;

/// A hash of a node, 32 bytes.
pub type Hash = [u8; 32];

/// A tree: how many records it has, and the hash of its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    pub root: Hash,
}

/// Why a proof does not prove.
#[derive(Debug)]
pub enum ProofError<E> {
    /// The hashes that it takes cannot be had.
    Hashes(E),
    /// They do not lead to the signed root.
    Differs,
    /// They lead to the newer root, and not to the older: the two trees were both
    /// signed and are not of one history.
    Fork,
}

impl<E: fmt::Display> fmt::Display for ProofError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hashes(error) => error.fmt(f),
            Self::Differs => f.write_str("the log's hashes do not lead to its signed tree head"),
            Self::Fork => f.write_str("the log has signed two trees that contradict each other"),
        }
    }
}

/// Knows the hashes of complete subtrees: of the records from `index << level`,
/// `1 << level` of them.
pub trait Subtrees {
    type Error;

    /// # Errors
    /// The hash cannot be had.
    fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The hash of a record.
#[must_use]
pub fn leaf(record: &[u8]) -> Hash {
    let mut hasher = Hasher::default();
    hasher.update(&[0]);
    hasher.update(record);
    hasher.finish().0
}

/// The hash of a node over two others.
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Hasher::default();
    hasher.update(&[1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finish().0
}

/// Proves that the record `index`, which has the hash `leaf`, is in the tree.
///
/// # Errors
/// [`ProofError::Differs`] when it is not.
pub fn prove_inclusion<S: Subtrees>(
    head: Head,
    index: u64,
    leaf: Hash,
    subtrees: &mut S,
) -> Result<(), ProofError<S::Error>> {
    if index >= head.size {
        return Err(ProofError::Differs);
    }
    let root = root_with(0, head.size, index, leaf, subtrees).map_err(ProofError::Hashes)?;
    if root == head.root { Ok(()) } else { Err(ProofError::Differs) }
}

/// The root of the records from `low` to `high`, with `leaf` in the place of one:
/// the audit path of RFC 6962, 2.1.1, folded while it is put together.
fn root_with<S: Subtrees>(
    low: u64,
    high: u64,
    index: u64,
    leaf: Hash,
    subtrees: &mut S,
) -> Result<Hash, S::Error> {
    if high - low == 1 {
        return Ok(leaf);
    }
    let middle = low + split(high - low);
    Ok(if index < middle {
        let left = root_with(low, middle, index, leaf, subtrees)?;
        node(&left, &range(middle, high, subtrees)?)
    } else {
        let left = range(low, middle, subtrees)?;
        node(&left, &root_with(middle, high, index, leaf, subtrees)?)
    })
}

/// Proves that `newer` begins with the records of `older`.
///
/// # Errors
/// [`ProofError::Fork`] when it does not; [`ProofError::Differs`] when the hashes
/// prove nothing.
pub fn prove_consistency<S: Subtrees>(
    older: Head,
    newer: Head,
    subtrees: &mut S,
) -> Result<(), ProofError<S::Error>> {
    match older.size {
        0 => Ok(()),
        size if size > newer.size => Err(ProofError::Differs),
        size if size == newer.size && older.root == newer.root => Ok(()),
        size if size == newer.size => Err(ProofError::Fork),
        size => {
            let mut old = None;
            let root = root_over(0, newer.size, size, &mut old, subtrees);
            match root.map_err(ProofError::Hashes)? {
                root if root != newer.root => Err(ProofError::Differs),
                _ if old == Some(older.root) => Ok(()),
                _ => Err(ProofError::Fork),
            }
        }
    }
}

/// The root of the records from `low` to `high`, where the older tree ends at
/// `end` in between; the older root over the same hashes goes to `old` (RFC 6962,
/// 2.1.2, both roots from one set of hashes).
fn root_over<S: Subtrees>(
    low: u64,
    high: u64,
    end: u64,
    old: &mut Option<Hash>,
    subtrees: &mut S,
) -> Result<Hash, S::Error> {
    if end == high {
        let hash = range(low, high, subtrees)?;
        *old = Some(hash);
        return Ok(hash);
    }
    let middle = low + split(high - low);
    if end <= middle {
        let left = root_over(low, middle, end, old, subtrees)?;
        return Ok(node(&left, &range(middle, high, subtrees)?));
    }
    let left = range(low, middle, subtrees)?;
    let right = root_over(middle, high, end, old, subtrees)?;
    *old = old.map(|right| node(&left, &right));
    Ok(node(&left, &right))
}

/// The hash of the records from `low` to `high`, from complete subtrees.
fn range<S: Subtrees>(low: u64, high: u64, subtrees: &mut S) -> Result<Hash, S::Error> {
    let size = high - low;
    if size.is_power_of_two() {
        // RFC 6962 splits at powers of two, so that such a range is aligned.
        return subtrees.subtree(size.trailing_zeros(), low >> size.trailing_zeros());
    }
    let middle = low + split(size);
    let left = range(low, middle, subtrees)?;
    Ok(node(&left, &range(middle, high, subtrees)?))
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::convert::Infallible;

    /// A whole log in memory.
    pub struct Log(pub Vec<Hash>);

    impl Log {
        pub fn new(records: u64) -> Self {
            Self((0..records).map(|record| leaf(&record.to_be_bytes())).collect())
        }

        /// By the definition in RFC 6962, 2.1.
        pub fn root(&self, size: u64) -> Hash {
            fn mth(leaves: &[Hash]) -> Hash {
                match leaves {
                    [] => Hasher::default().finish().0,
                    [leaf] => *leaf,
                    _ => {
                        let mut k = 1;
                        while k * 2 < leaves.len() {
                            k *= 2;
                        }
                        node(&mth(&leaves[..k]), &mth(&leaves[k..]))
                    }
                }
            }
            mth(&self.0[..size as usize])
        }

        pub fn head(&self, size: u64) -> Head {
            Head { size, root: self.root(size) }
        }
    }

    impl Subtrees for Log {
        type Error = Infallible;

        fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, Infallible> {
            let start = (index << level) as usize;
            Ok(Log(self.0[start..start + (1 << level)].to_vec()).root(1 << level))
        }
    }

    #[test]
    fn every_record_of_every_tree_is_proved_and_no_other() {
        let mut log = Log::new(70);
        for size in 1..=70 {
            let head = log.head(size);
            for index in 0..size {
                let leaf = log.0[index as usize];
                prove_inclusion(head, index, leaf, &mut log).unwrap();
                let wrong = [7; 32];
                assert!(prove_inclusion(head, index, wrong, &mut log).is_err());
                let lying = Head { size, root: wrong };
                assert!(prove_inclusion(lying, index, leaf, &mut log).is_err());
            }
            assert!(prove_inclusion(head, size, log.0[0], &mut log).is_err());
        }
    }

    #[test]
    fn every_tree_extends_every_older_one_and_no_fork() {
        let mut log = Log::new(70);
        let mut fork = Log::new(70);
        fork.0[20] = [7; 32];
        for newer in 1..=70 {
            for older in 0..=70 {
                let proved = prove_consistency(log.head(older), log.head(newer), &mut log);
                assert_eq!(proved.is_ok(), older <= newer, "{older} in {newer}");
                if older > 20 && older <= newer {
                    let forked = prove_consistency(fork.head(older), log.head(newer), &mut log);
                    assert!(forked.is_err(), "{older} in {newer}");
                    let forked = prove_consistency(log.head(older), fork.head(newer), &mut fork);
                    assert!(forked.is_err(), "{older} in {newer}");
                }
            }
        }
    }
}
