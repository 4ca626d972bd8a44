//! How little of freed memory the C library keeps. Hundreds of instances are read, prepared and
//! dropped on several threads, and each thread would have an arena of its own that keeps what was
//! freed there: an agent whose assignment changes all the time would settle at a multiple of what
//! it needs. Other C libraries than glibc need none of this.

/// All threads share so many: one for what `main` does before there are threads, and one for them.
/// The path of an advert allocates nothing, and waits for nobody here.
#[cfg(target_env = "gnu")]
const ARENAS: libc::c_int = 2;

/// mallopt(3). Before any thread is started.
pub fn share_arenas() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number that arenas to come are counted against.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

/// malloc_trim(3): whole free pages go back to the kernel.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer, and locks what it touches.
    unsafe {
        libc::malloc_trim(0);
    }
}
