//! How fields stand in bytes: little end first, texts behind their length, and each record behind its own, so that an older or newer
//! reader skips what it does not know and takes what is missing for empty. Pure; nothing is believed about a length.

/// What is still to be read.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn len(&self) -> usize {
        self.rest.len()
    }

    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        if count > self.rest.len() {
            return None;
        }
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some(taken)
    }
}

/// Where encoded bytes go. `false`: they do not fit.
pub trait FieldSink {
    fn put(&mut self, bytes: &[u8]) -> bool;
}

/// Counts what would be written.
#[derive(Default)]
pub struct Count(pub usize);

impl FieldSink for Count {
    fn put(&mut self, bytes: &[u8]) -> bool {
        self.0 += bytes.len();
        true
    }
}

/// A buffer of fixed size.
pub struct Fixed<'a> {
    pub buffer: &'a mut [u8],
    pub len: usize,
}

impl FieldSink for Fixed<'_> {
    fn put(&mut self, bytes: &[u8]) -> bool {
        let Some(free) = self.buffer.get_mut(self.len..self.len.saturating_add(bytes.len())) else { return false };
        free.copy_from_slice(bytes);
        self.len += bytes.len();
        true
    }
}

/// One field.
pub trait Field<'a>: Sized {
    fn get(reader: &mut Reader<'a>) -> Option<Self>;
    fn put(&self, out: &mut dyn FieldSink) -> bool;

    /// Becomes the next field, where there is one; `false`: it cannot be read. Never inlined: records have many fields, and the core is small.
    #[inline(never)]
    fn fill(&mut self, reader: &mut Reader<'a>) -> bool {
        if reader.is_empty() {
            return true;
        }
        match Self::get(reader) {
            Some(value) => {
                *self = value;
                true
            }
            None => false,
        }
    }
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl<'a> Field<'a> for $kind {
            fn get(reader: &mut Reader<'a>) -> Option<$kind> {
                let bytes = reader.take(core::mem::size_of::<$kind>())?;
                Some(<$kind>::from_le_bytes(bytes.try_into().ok()?))
            }

            fn put(&self, out: &mut dyn FieldSink) -> bool {
                out.put(&self.to_le_bytes())
            }
        }
    )*};
}
number!(u8, u32, i32, u64, i64);

impl<'a> Field<'a> for bool {
    fn get(reader: &mut Reader<'a>) -> Option<bool> {
        u8::get(reader).map(|byte| byte != 0)
    }

    fn put(&self, out: &mut dyn FieldSink) -> bool {
        out.put(&[u8::from(*self)])
    }
}

impl<'a> Field<'a> for [u8; 32] {
    fn get(reader: &mut Reader<'a>) -> Option<[u8; 32]> {
        reader.take(32)?.try_into().ok()
    }

    fn put(&self, out: &mut dyn FieldSink) -> bool {
        out.put(self)
    }
}

/// A text or any other bytes.
impl<'a> Field<'a> for &'a [u8] {
    fn get(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
        let len = u32::get(reader)?;
        reader.take(len as usize)
    }

    fn put(&self, out: &mut dyn FieldSink) -> bool {
        match u32::try_from(self.len()) {
            Ok(len) => len.put(out) && out.put(self),
            Err(_) => false,
        }
    }
}

/// A record of named fields, in their order, behind its length. Fields are only ever added at the end.
macro_rules! record {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $name<'a> { $($(#[$doc])* pub $field: $kind,)* #[doc(hidden)] pub end: core::marker::PhantomData<&'a ()> }

        impl<'a> $name<'a> {
            /// The record that stands next. What an older writer did not know is empty.
            pub fn decode(reader: &mut super::wire::Reader<'a>) -> Option<$name<'a>> {
                let own = <&[u8] as super::wire::Field>::get(reader)?;
                let mut own = super::wire::Reader::new(own);
                let mut record = $name::default();
                let is_good = true $(&& super::wire::Field::fill(&mut record.$field, &mut own))*;
                is_good.then_some(record)
            }

            pub fn encode(&self, out: &mut dyn super::wire::FieldSink) -> bool {
                let mut count = super::wire::Count(0);
                self.put_fields(&mut count) && super::wire::Field::put(&(count.0 as u32), out) && self.put_fields(out)
            }

            /// Without the length. Said once, since it is code for each field of each record.
            fn put_fields(&self, out: &mut dyn super::wire::FieldSink) -> bool {
                true $(&& super::wire::Field::put(&self.$field, out))*
            }
        }
    };
}
pub(crate) use record;

/// The records that stand one behind the other in a field.
pub fn records<'a, T: 'a>(bytes: &'a [u8], decode: fn(&mut Reader<'a>) -> Option<T>) -> impl Iterator<Item = T> + 'a {
    let mut reader = Reader::new(bytes);
    core::iter::from_fn(move || if reader.is_empty() { None } else { decode(&mut reader) })
}

/// The texts of a list, each of which ends with a NUL; without it.
pub fn texts(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split_inclusive(|byte| *byte == 0).filter_map(|text| text.strip_suffix(&[0]))
}
