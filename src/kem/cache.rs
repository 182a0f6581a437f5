//! A bounded cache of `H(u)`, with a small fixed-base table for the attributes that are used again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::pairing::{G1, G1Affine, Scalar, Table};
use crate::policy::Leaf;
use crate::seal::label;

/// `H(u)`, without a cache.
pub(super) fn hash(leaf: &Leaf) -> G1 {
    G1::hash(leaf.as_bytes(), label::KEM_ATTRIBUTE)
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
    // INVARIANT: as many as entries of `young` have a table, or the promise of one.
    young_tables: usize,
}

#[derive(Clone)]
struct Entry {
    hashed: Hashed,
    uses: u32,
    /// Whether somebody is making its table.
    promised: bool,
}

impl Entry {
    fn has_a_place(&self) -> bool {
        self.promised || matches!(self.hashed, Hashed::Table(_))
    }
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
        let (mut new, mut tables) = (Vec::new(), Vec::new());
        for (leaf, found) in distinct.iter().zip(&mut found) {
            match found {
                None => {
                    let Some(point) = points.next() else { continue };
                    *found = Some((Hashed::Point(point), false));
                    new.push((*leaf, Entry { hashed: Hashed::Point(point), uses: 1, promised: false }));
                }
                Some((hashed, true)) => {
                    let table = Arc::new(Table::small(hashed.point().projective()));
                    *hashed = Hashed::Table(table.clone());
                    tables.push((*leaf, table));
                }
                Some((_, false)) => {}
            }
        }
        if !(new.is_empty() && tables.is_empty()) {
            let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            tables.into_iter().for_each(|(leaf, table)| generations.keep(leaf, table));
            new.into_iter().for_each(|(leaf, entry)| generations.put(leaf, entry));
        }
        order.iter().filter_map(|at| found.get(*at)?.as_ref().map(|(hashed, _)| hashed.clone())).collect()
    }
}

impl Generations {
    /// What is known of the leaf, and whether the caller is to make its table: then there is a place for it already, and
    /// nobody else is asked to.
    fn touch(&mut self, leaf: &Leaf) -> Option<(Hashed, bool)> {
        if let Some(entry) = self.old.remove(leaf) {
            self.put(leaf, entry);
        }
        let room = self.young_tables < TABLES;
        let entry = self.young.get_mut(leaf)?;
        entry.uses = entry.uses.saturating_add(1);
        let make = room && entry.uses >= HOT && !entry.has_a_place();
        if make {
            entry.promised = true;
            self.young_tables += 1;
        }
        Some((entry.hashed.clone(), make))
    }

    fn put(&mut self, leaf: &Leaf, mut entry: Entry) {
        if self.young.len() >= GENERATION && !self.young.contains_key(leaf) {
            self.old = std::mem::take(&mut self.young);
            self.young_tables = 0;
        }
        if let Some(known) = self.young.get(leaf) {
            if known.has_a_place() {
                // Another thread was faster.
                return;
            }
            entry.uses = entry.uses.max(known.uses);
        }
        if entry.has_a_place() {
            if self.young_tables < TABLES {
                self.young_tables += 1;
            } else {
                entry.hashed = Hashed::Point(entry.hashed.point());
                entry.promised = false;
            }
        }
        self.young.insert(leaf.clone(), entry);
    }

    /// Takes a table that was promised. One whose place was lost while two generations passed is left to its maker.
    fn keep(&mut self, leaf: &Leaf, table: Arc<Table<G1>>) {
        let places = [&mut self.young, &mut self.old].into_iter().filter_map(|entries| entries.get_mut(leaf));
        if let Some(entry) = places.into_iter().find(|entry| entry.promised) {
            entry.hashed = Hashed::Table(table);
            entry.promised = false;
        }
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
                generations.put(&leaf(i), Entry { hashed: hashed.clone(), uses: 1, promised: false });
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
    fn no_more_tables_are_made_than_there_is_room_for() {
        let cache = Cache::default();
        let many: Vec<Leaf> = (0..TABLES + 50).map(leaf).collect();
        let tables = |hashed: Vec<Hashed>| hashed.iter().filter(|one| matches!(one, Hashed::Table(_))).count();
        assert!((1..HOT).all(|_| tables(cache.get_all(&many)) == 0));
        for _ in 0..2 {
            assert_eq!(tables(cache.get_all(&many)), TABLES);
        }
    }

    #[test]
    fn one_thread_makes_the_table_of_an_attribute_while_others_use_it() {
        let mut generations = Generations::default();
        let point = hash(&leaf(0)).affine();
        let new = || Entry { hashed: Hashed::Point(point), uses: 1, promised: false };
        generations.put(&leaf(0), new());
        let asked = |generations: &mut Generations| generations.touch(&leaf(0)).is_some_and(|(_, make)| make);
        assert_eq!((1..HOT).filter(|_| asked(&mut generations)).count(), 1);
        // Others look it up, and one hashed it anew meanwhile.
        assert!((0..3 * HOT).all(|_| !asked(&mut generations)));
        generations.put(&leaf(0), new());
        assert!((0..3 * HOT).all(|_| !asked(&mut generations)));
        // A generation passes, and another.
        let pass = |generations: &mut Generations, from: usize| {
            (from..from + GENERATION).for_each(|i| generations.put(&leaf(i), new()));
        };
        pass(&mut generations, 1);
        assert!(!asked(&mut generations) && generations.young_tables == 1);
        generations.keep(&leaf(0), Arc::new(Table::small(point.projective())));
        assert!(matches!(generations.touch(&leaf(0)), Some((Hashed::Table(_), false))));
        assert_eq!(generations.young_tables, 1);
        // What comes too late has no place, and takes none.
        pass(&mut generations, 10_000);
        pass(&mut generations, 20_000);
        generations.keep(&leaf(0), Arc::new(Table::small(point.projective())));
        assert_eq!((generations.touch(&leaf(0)).is_none(), generations.young_tables), (true, 0));
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut generations = Generations::default();
        let table = Arc::new(Table::small(G1::generator()));
        for i in 0..3 * GENERATION {
            let hashed = Hashed::Table(table.clone());
            generations.put(&leaf(i), Entry { hashed, uses: HOT, promised: false });
            let is_table = |entry: &&Entry| matches!(entry.hashed, Hashed::Table(_));
            assert!(generations.young.len() <= GENERATION && generations.old.len() <= GENERATION);
            assert!(generations.young.values().filter(is_table).count() <= TABLES);
        }
        assert_eq!(Arc::strong_count(&table), 1 + 2 * TABLES);
    }
}
