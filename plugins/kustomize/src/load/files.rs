//! The files that a render may read: what the caller gives.

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileError {
    /// Nothing is there.
    NotFound,
    /// A directory is there.
    IsDirectory,
    /// The path leads out of the tree, or the file was not granted.
    Denied,
    /// Anything else, in words.
    Other(String),
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// The files that a render may read. Paths are relative to the root of the tree, in their shortest
/// form, with `/` between parts; the root itself is the empty path.
pub trait Files {
    /// Reads a whole file.
    ///
    /// # Errors
    /// There is no such file, or it may not be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError>;

    /// Tells what a path names; nothing when nothing is there.
    fn kind(&self, path: &str) -> Option<FileKind>;

    /// Lists a directory: names, not paths, sorted, each with what it is.
    ///
    /// # Errors
    /// There is no such directory, or it may not be read.
    fn read_dir(&self, path: &str) -> Result<Vec<(String, FileKind)>, FileError>;
}
