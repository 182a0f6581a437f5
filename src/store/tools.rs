//! What the crate does with any store: batches within its limits, pages to the end, damage passed over.

use super::{BoxFuture, Entry, Op, Order, Outcome, Store, StoreError, StoreFailure, Tag};

/// Makes changes in as many batches as the store's limits need. After an error each may have been made or not.
pub(crate) async fn apply_all(store: &dyn Store, ops: Vec<Op>) -> Result<Vec<Outcome>, StoreError> {
    let limits = store.limits();
    let mut outcomes = Vec::with_capacity(ops.len());
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for op in ops {
        if !batch.is_empty() && !limits.take((batch.len(), bytes), &op) {
            outcomes.extend(store.apply(std::mem::take(&mut batch)).await?);
            bytes = 0;
        }
        bytes += op.size();
        batch.push(op);
    }
    if !batch.is_empty() {
        outcomes.extend(store.apply(batch).await?);
    }
    Ok(outcomes)
}

/// Makes changes so that none of a later step is there without all of the steps before, whatever fails: in one batch where
/// the store keeps their order.
pub(crate) async fn apply_in_order(store: &dyn Store, steps: Vec<Vec<Op>>) -> Result<Vec<Outcome>, StoreError> {
    if store.limits().order == Order::Prefix {
        return apply_all(store, steps.into_iter().flatten().collect()).await;
    }
    let mut outcomes = Vec::new();
    for step in steps {
        outcomes.extend(apply_all(store, step).await?);
    }
    Ok(outcomes)
}

/// The pages of keys under a prefix, one after the other.
pub(crate) struct Pages<'a> {
    store: &'a dyn Store,
    prefix: String,
    after: String,
    limit: usize,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(store: &'a dyn Store, prefix: impl Into<String>, limit: usize) -> Self {
        Self { store, prefix: prefix.into(), after: String::new(), limit }
    }

    /// From the key after this one on.
    pub(crate) fn after(self, key: impl Into<String>) -> Self {
        Self { after: key.into(), ..self }
    }

    /// The next keys; none at the end.
    pub(crate) async fn keys(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        let page = self.store.keys(&self.prefix, &self.after, self.limit).await?;
        let Some(last) = page.last() else { return Ok(None) };
        goes_on(&self.after, last)?;
        self.after.clone_from(last);
        Ok(Some(page))
    }

    /// The next entries, a damaged one by itself; none at the end.
    pub(crate) async fn entries(&mut self) -> Result<Option<Vec<Scanned>>, StoreError> {
        let page = scan_each(self.store, (&self.prefix, &self.after), self.limit).await?;
        let Some((last, _)) = page.last() else { return Ok(None) };
        goes_on(&self.after, last)?;
        self.after.clone_from(last);
        Ok(Some(page))
    }
}

/// A store whose pages do not go on would keep whoever goes through them for ever.
fn goes_on(after: &str, last: &str) -> Result<(), StoreError> {
    if last > after { Ok(()) } else { Err(StoreError::new(StoreFailure::Corrupt, "a listing that does not go on")) }
}

/// A key, and what it has; an error if that is damaged.
pub(crate) type Scanned = (String, Each<Entry>);

/// One page of a scan, each entry by itself: one that the store holds damaged does not stand in the way of the others.
pub(crate) async fn scan_each(
    store: &dyn Store,
    (prefix, after): (&str, &str),
    limit: usize,
) -> Result<Vec<Scanned>, StoreError> {
    match store.scan(prefix, after, limit).await {
        Ok(page) => Ok(page.into_iter().map(|(key, entry)| (key, Ok(Some(entry)))).collect()),
        Err(error) if is_damage(&error) => {
            let keys = store.keys(prefix, after, limit).await?;
            let entries = each(store, &keys).await?;
            Ok(keys.into_iter().zip(entries).collect())
        }
        Err(error) => Err(error),
    }
}

/// The values of these keys, each by itself: one that the store holds damaged does not stand in the way of the others.
///
/// # Errors
///
/// As [`Store::get`], but for [`StoreFailure::Corrupt`], which is of one key.
pub(crate) async fn each<'a>(store: &'a dyn Store, keys: &'a [String]) -> Result<Vec<Each<Entry>>, StoreError> {
    apart(keys, |keys| store.get(keys)).await
}

/// The tags of these keys, each by itself, as [`each`].
pub(crate) async fn tags_of_each<'a, S: Store + ?Sized>(
    store: &'a S,
    keys: &'a [String],
) -> Result<Vec<Each<Tag>>, StoreError> {
    apart(keys, |keys| store.tags(keys)).await
}

/// What one key has; an error if that is damaged.
pub(crate) type Each<T> = Result<Option<T>, StoreError>;

/// Reads keys together, and one by one if something of them is damaged.
async fn apart<'a, T>(
    keys: &'a [String],
    read: impl Fn(&'a [String]) -> BoxFuture<'a, Result<Vec<Option<T>>, StoreError>>,
) -> Result<Vec<Each<T>>, StoreError> {
    match read(keys).await {
        Ok(held) => return Ok(held.into_iter().map(Ok).collect()),
        Err(error) if is_damage(&error) => {}
        Err(error) => return Err(error),
    }
    let mut all = Vec::with_capacity(keys.len());
    for key in keys {
        all.push(match read(std::slice::from_ref(key)).await {
            Ok(mut held) => Ok(held.pop().flatten()),
            Err(error) if is_damage(&error) => Err(error),
            Err(error) => return Err(error),
        });
    }
    Ok(all)
}

/// Whether there is anything under each of these keys; what is damaged is there.
pub(crate) async fn is_there(store: &dyn Store, keys: &[String]) -> Result<Vec<bool>, StoreError> {
    Ok(tags_of_each(store, keys).await?.iter().map(|held| !matches!(held, Ok(None))).collect())
}

/// The entry of one key.
pub(crate) async fn only(store: &dyn Store, key: &str) -> Result<Option<Entry>, StoreError> {
    Ok(store.get(&[key.to_owned()]).await?.pop().flatten())
}

/// Deletes everything under a prefix, key by key. What is damaged, or keeps being changed, is the error of the whole in the end.
pub(super) async fn delete_by_key<S: Store + ?Sized>(store: &S, prefix: &str) -> Result<u64, StoreError> {
    let (mut deleted, mut after, mut whole) = (0, String::new(), Ok(()));
    let limit = PAGE.min(store.limits().ops).max(1);
    loop {
        let mut left = store.keys(prefix, &after, limit).await?;
        let Some(last) = left.last() else { return whole.map(|()| deleted) };
        goes_on(&after, last)?;
        after.clone_from(last);
        // What was changed meanwhile is read again.
        for _ in 0..MOST_TRIES {
            let mut ops = Vec::with_capacity(left.len());
            let tags = tags_of_each(store, &left).await?;
            for (key, tag) in std::mem::take(&mut left).into_iter().zip(tags) {
                match tag {
                    Ok(tag) => ops.extend(tag.map(|tag| Op::Delete { key, tag })),
                    Err(error) => whole = Err(error),
                }
            }
            if ops.is_empty() {
                break;
            }
            let keys: Vec<String> = ops.iter().map(|op| op.key().to_owned()).collect();
            let outcomes = store.apply(ops).await?;
            deleted += outcomes.iter().filter(|outcome| **outcome == Outcome::Deleted).count() as u64;
            let conflicts = keys.into_iter().zip(outcomes).filter(|(_, outcome)| *outcome == Outcome::Conflict);
            left = conflicts.map(|(key, _)| key).collect();
            if left.is_empty() {
                break;
            }
        }
        if !left.is_empty() {
            whole = whole.and(Err(StoreError::busy("others keep changing what is to go")));
        }
    }
}

fn is_damage(error: &StoreError) -> bool {
    error.failure() == StoreFailure::Corrupt
}

/// Keys in a page that are deleted.
const PAGE: usize = 1000;
/// How often a key that others keep changing is read again.
const MOST_TRIES: usize = 16;
