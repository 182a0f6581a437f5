//! Stores around stores.

/// What a store around another one hands on as it is. The field that holds the other one is named.
macro_rules! hands_on {
    ($inner:tt: $($what:ident)*) => { $(crate::support::store::hand_on!($what $inner);)* };
}

macro_rules! hand_on {
    (limits $inner:tt) => {
        fn limits(&self) -> chartseal::store::Limits {
            self.$inner.limits()
        }
    };
    (get $inner:tt) => {
        fn get<'a>(
            &'a self,
            keys: &'a [String],
        ) -> chartseal::store::BoxFuture<'a, Result<Vec<Option<chartseal::store::Entry>>, chartseal::store::StoreError>>
        {
            self.$inner.get(keys)
        }
    };
    (tags $inner:tt) => {
        fn tags<'a>(
            &'a self,
            keys: &'a [String],
        ) -> chartseal::store::BoxFuture<'a, Result<Vec<Option<chartseal::store::Tag>>, chartseal::store::StoreError>>
        {
            self.$inner.tags(keys)
        }
    };
    (keys $inner:tt) => {
        fn keys<'a>(
            &'a self,
            prefix: &'a str,
            after: &'a str,
            limit: usize,
        ) -> chartseal::store::BoxFuture<'a, Result<Vec<String>, chartseal::store::StoreError>> {
            self.$inner.keys(prefix, after, limit)
        }
    };
    (scan $inner:tt) => {
        fn scan<'a>(
            &'a self,
            prefix: &'a str,
            after: &'a str,
            limit: usize,
        ) -> chartseal::store::BoxFuture<
            'a,
            Result<Vec<(String, chartseal::store::Entry)>, chartseal::store::StoreError>,
        > {
            self.$inner.scan(prefix, after, limit)
        }
    };
    (apply $inner:tt) => {
        fn apply<'a>(
            &'a self,
            ops: Vec<chartseal::store::Op>,
        ) -> chartseal::store::BoxFuture<'a, Result<Vec<chartseal::store::Outcome>, chartseal::store::StoreError>> {
            self.$inner.apply(ops)
        }
    };
}

pub(crate) use {hand_on, hands_on};
