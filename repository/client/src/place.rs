//! From the arriving gzip file to the verified image under its name.

use crate::arrived::{Arrived, Follow};
use crate::error::ClientError;
use crate::partial::Partial;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use stratus_image::{ImageError, InflateOptions, SparseWriter, inflate};
use stratus_model::Expected;
use stratus_terminal::AtomicFile;

/// In which form the image is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The disk image, with holes where it is zero.
    #[default]
    Inflated,
    /// The gzip file as served.
    Compressed,
}

/// A complete, verified image that has no name yet.
#[derive(Debug)]
pub(crate) enum Ready {
    Inflated(AtomicFile),
    Compressed,
}

/// Reads the file while it arrives, inflates it, and compares sizes and digests of both forms with
/// the manifest. What comes back is right; nothing else ever gets the name. Blocks.
pub(crate) fn verify(
    partial: &Partial,
    arrived: &Arc<Arrived>,
    mut expected: Expected,
    form: Form,
) -> Result<Ready, ClientError> {
    // Pieces were compared one by one as they arrived; here it is about the whole.
    if let Some(compressed) = &mut expected.compressed {
        compressed.chunks = None;
    }
    let mut source = Follow::new(Arc::clone(partial.file()), Arc::clone(arrived));
    let options = InflateOptions::expecting(expected);
    let target = partial.target();
    let failed = |error| match error {
        ImageError::Write(source) => ClientError::file("write", target)(source),
        source => ClientError::Image { path: target.to_owned(), source },
    };
    let mut inflated = |to: &mut dyn Write| {
        let found = inflate(&mut source, to, &options, &mut |_| ControlFlow::Continue(()));
        // Whatever an earlier attempt left behind the end is not part of the file.
        partial.set_length(found.map_err(failed)?.compressed.bytes)
    };
    match form {
        Form::Compressed => {
            inflated(&mut io::sink())?;
            Ok(Ready::Compressed)
        }
        Form::Inflated => {
            let written = ClientError::file("write", target);
            let file = AtomicFile::create_at(target, &partial.inflating()).map_err(written)?;
            let writer = file.as_file().try_clone().map_err(ClientError::file("write", target))?;
            inflated(&mut SparseWriter::new(writer))?;
            Ok(Ready::Inflated(file))
        }
    }
}

/// Gives the image its name. Blocks.
pub(crate) fn place(ready: Ready, partial: Partial) -> Result<(), ClientError> {
    match ready {
        Ready::Compressed => partial.place(),
        Ready::Inflated(file) => {
            let target = partial.target().to_owned();
            file.commit().map_err(ClientError::file("write", target))?;
            partial.discard();
            Ok(())
        }
    }
}
