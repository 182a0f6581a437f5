//! A bounded cache of `H(u)`, with a small fixed-base table for the attributes that are used again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::pairing::{G1, G1Affine, Scalar, Table};
use crate::policy::Leaf;

/// Domain separation tag under which attributes are hashed to G1 (RFC 9380, section 3.1).
const ATTRIBUTE_DST: &[u8] = b"CHARTSEAL-V01-ATTRIBUTE-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";

/// `H(u)`, without a cache.
pub(super) fn hash(leaf: &Leaf) -> G1 {
    G1::hash(leaf.as_bytes(), ATTRIBUTE_DST)
}

/// `H(u)` as the cache has it.
#[derive(Clone)]
pub(super) enum Hashed {
    Point(G1Affine),
    Table(Arc<Table<G1>>),
}

impl Hashed {
    pub(super) fn mul(&self, scalar: &Scalar) -> G1 {
        match self {
            Self::Point(point) => point.projective().mul(scalar),
            Self::Table(table) => table.mul(scalar),
        }
    }

    pub(super) fn point(&self) -> G1Affine {
        match self {
            Self::Point(point) => *point,
            Self::Table(table) => table.base(),
        }
    }
}

/// Two generations: what is used while the younger one fills up survives, the rest goes.
#[derive(Default)]
pub(super) struct Cache(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Leaf, Entry>,
    old: HashMap<Leaf, Entry>,
    young_tables: usize,
}

#[derive(Clone)]
struct Entry {
    hashed: Hashed,
    uses: u32,
}

impl Cache {
    /// `H(u)` for each leaf, in order; a leaf that stands several times is looked up once. The lock is not held while
    /// points and tables are computed.
    pub(super) fn get_all(&self, leaves: &[Leaf]) -> Vec<Hashed> {
        let mut places: HashMap<&Leaf, usize> = HashMap::with_capacity(leaves.len());
        let mut distinct: Vec<&Leaf> = Vec::with_capacity(leaves.len());
        let order: Vec<usize> = leaves
            .iter()
            .map(|leaf| {
                *places.entry(leaf).or_insert_with(|| {
                    distinct.push(leaf);
                    distinct.len() - 1
                })
            })
            .collect();

        let mut found: Vec<Option<(Hashed, bool)>> = {
            let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            distinct.iter().map(|leaf| generations.touch(leaf)).collect()
        };
        let missing = distinct.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(leaf, _)| hash(leaf));
        let mut points = G1::batch_affine(&missing.collect::<Vec<_>>()).into_iter();
        let mut made: Vec<(&Leaf, Entry)> = Vec::new();
        for (leaf, found) in distinct.iter().zip(&mut found) {
            let uses = match found {
                None => {
                    *found = points.next().map(|point| (Hashed::Point(point), false));
                    1
                }
                Some((hashed, true)) => {
                    *hashed = Hashed::Table(Arc::new(Table::small(hashed.point().projective())));
                    HOT
                }
                Some(_) => continue,
            };
            made.extend(found.iter().map(|(hashed, _)| (*leaf, Entry { hashed: hashed.clone(), uses })));
        }
        if !made.is_empty() {
            let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (leaf, entry) in made {
                generations.put(leaf, entry);
            }
        }
        order.iter().filter_map(|at| found.get(*at)?.as_ref().map(|(hashed, _)| hashed.clone())).collect()
    }
}

impl Generations {
    /// What is known of the leaf, and whether the caller is to make its table.
    fn touch(&mut self, leaf: &Leaf) -> Option<(Hashed, bool)> {
        if let Some(entry) = self.old.remove(leaf) {
            self.put(leaf, entry);
        }
        let room = self.young_tables < TABLES;
        let entry = self.young.get_mut(leaf)?;
        entry.uses = entry.uses.saturating_add(1);
        let make = room && entry.uses >= HOT && matches!(entry.hashed, Hashed::Point(_));
        if make {
            // Nobody else is asked to while this caller is at it.
            entry.uses = 0;
        }
        Some((entry.hashed.clone(), make))
    }

    fn put(&mut self, leaf: &Leaf, mut entry: Entry) {
        if self.young.len() >= GENERATION && !self.young.contains_key(leaf) {
            self.old = std::mem::take(&mut self.young);
            self.young_tables = 0;
        }
        if matches!(self.young.get(leaf), Some(Entry { hashed: Hashed::Table(_), .. })) {
            // Another thread was faster.
            return;
        }
        if matches!(entry.hashed, Hashed::Table(_)) {
            if self.young_tables >= TABLES {
                entry.hashed = Hashed::Point(entry.hashed.point());
            } else {
                self.young_tables += 1;
            }
        }
        self.young.insert(leaf.clone(), entry);
    }
}

/// Points in one generation: about half a mebibyte under short names, 1.2 MiB under the longest.
const GENERATION: usize = 2048;
/// Tables in one generation, 11 KiB each.
const TABLES: usize = 128;
/// The use at which an attribute gets a table: the table costs about as much as four multiplications save.
const HOT: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AuthorityId;

    fn leaf(i: usize) -> Leaf {
        Leaf::text(&AuthorityId::new("a").unwrap(), "n", &i.to_string())
    }

    #[test]
    fn the_cache_and_its_tables_agree_with_the_plain_path() {
        let cache = Cache::default();
        let first: Vec<Leaf> = (0..6).map(leaf).collect();
        let mixed: Vec<Leaf> = (3..9).chain(3..5).map(leaf).collect();
        let s = Scalar::from_wide(&[5; 64]);
        let mut tables = 0;
        for leaves in [&first, &mixed, &first, &mixed, &mixed, &first, &mixed] {
            let points = cache.get_all(leaves);
            assert_eq!(points.len(), leaves.len());
            for (leaf, hashed) in leaves.iter().zip(&points) {
                assert!(hash(leaf).affine() == hashed.point());
                assert!(hash(leaf).mul(&s) == hashed.mul(&s));
                tables += usize::from(matches!(hashed, Hashed::Table(_)));
            }
        }
        assert!(tables > 0, "hot attributes get a table");
    }

    #[test]
    fn an_attribute_that_found_no_room_gets_its_table_when_there_is_room_again() {
        let cache = Cache::default();
        let table = Arc::new(Table::small(G1::generator()));
        let fill = |from: usize, to: usize, hashed: &Hashed| {
            let mut generations = cache.0.lock().unwrap();
            for i in from..to {
                generations.put(&leaf(i), Entry { hashed: hashed.clone(), uses: 1 });
            }
        };
        fill(1, 1 + TABLES, &Hashed::Table(table.clone()));
        let is_table = || matches!(cache.get_all(&[leaf(0)])[..], [Hashed::Table(_)]);
        assert!((0..3 * HOT).all(|_| !is_table()));
        fill(1 + TABLES, 1 + GENERATION, &Hashed::Point(G1::generator().affine()));
        assert!((0..=HOT).any(|_| is_table()));
        assert!(is_table());
        // A thread that hashed the same attribute and comes later does not undo it.
        fill(0, 1, &Hashed::Point(hash(&leaf(0)).affine()));
        assert!(is_table());
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut generations = Generations::default();
        let table = Arc::new(Table::small(G1::generator()));
        for i in 0..3 * GENERATION {
            generations.put(&leaf(i), Entry { hashed: Hashed::Table(table.clone()), uses: HOT });
            let is_table = |entry: &&Entry| matches!(entry.hashed, Hashed::Table(_));
            assert!(generations.young.len() <= GENERATION && generations.old.len() <= GENERATION);
            assert!(generations.young.values().filter(is_table).count() <= TABLES);
        }
        assert_eq!(Arc::strong_count(&table), 1 + 2 * TABLES);
    }
}
