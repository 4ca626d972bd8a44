//! How little of freed memory the C library keeps. Hundreds of instances are read, prepared and
//! dropped on several threads: each thread would have an arena of its own that keeps what was freed
//! there, and what was large once would come from there ever after. An agent whose assignment
//! changes all the time would settle at a multiple of what it needs. Other C libraries than glibc
//! need none of this.

/// All threads share one. The path of an advert allocates nothing, and waits for nobody here.
#[cfg(target_env = "gnu")]
const ARENAS: libc::c_int = 1;

/// What is of this many bytes or more is mapped by itself and goes back at once. It is what glibc
/// begins with, too; but one that nobody sets grows with what is freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 * 1024;

/// mallopt(3). Before any thread is started.
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets two numbers that allocations to come are measured by.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
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
