//! Sending many messages with one system call, sendmmsg(2), and without an allocation. Called for
//! adverts ([`super::VrrpSocket`]) and announcements ([`super::Announcer`]).

use libc::{c_uint, iovec, mmsghdr};
use socket2::SockAddr;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Messages of one system call.
const BATCH: usize = 64;
/// Ancillary data of one message: where it comes from.
const CONTROL: usize = 64;

/// Ancillary data, written by [`Control::put`].
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct Control {
    bytes: [u8; CONTROL],
    length: usize,
}

impl Control {
    pub(super) const NONE: Self = Self { bytes: [0; CONTROL], length: 0 };

    /// One control message.
    pub(super) fn put<T: Copy>(level: i32, kind: i32, data: T) -> Self {
        let size = size_of::<T>() as c_uint;
        let mut control = Self::NONE;
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
        let (space, length) = unsafe { (libc::CMSG_SPACE(size), libc::CMSG_LEN(size)) };
        control.length = space as usize;
        assert!(control.length <= CONTROL, "a control message of {space} bytes");
        let header = control.bytes.as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: the buffer is aligned for a cmsghdr and, as just asserted, long enough for one
        // with its data.
        unsafe {
            (*header).cmsg_len = length as _;
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(data);
        }
        control
    }
}

/// Where a message goes, and what the kernel should know of it: above all where it comes from.
pub(super) type Addressed = (SockAddr, Control);

/// Borrowed from whoever sends it.
#[derive(Clone, Copy)]
pub(super) struct Message<'m> {
    pub(super) to: &'m Addressed,
    pub(super) bytes: &'m [u8],
}

/// Sends `count` messages, as many at once as one call takes. Says how each fared: one that fails
/// does not keep the others back.
pub(super) fn send<'m>(
    socket: BorrowedFd<'_>,
    count: usize,
    message: impl Fn(usize) -> Message<'m>,
    mut fared: impl FnMut(usize, io::Result<()>),
) {
    let mut next = 0;
    while next < count {
        match send_some(socket, (count - next).min(BATCH), |at| message(next + at)) {
            // Never said of a batch that is not empty.
            Ok(0) => return,
            Ok(sent) => {
                (next..next + sent).for_each(|at| fared(at, Ok(())));
                next += sent;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // sendmmsg(2): an error is that of the first message.
            Err(error) => {
                fared(next, Err(error));
                next += 1;
            }
        }
    }
}

fn send_some<'m>(
    socket: BorrowedFd<'_>,
    count: usize,
    message: impl Fn(usize) -> Message<'m>,
) -> io::Result<usize> {
    // SAFETY: all bits zero are a valid value of these structs of the kernel's interface.
    let (mut headers, mut vectors): ([mmsghdr; BATCH], [iovec; BATCH]) =
        unsafe { (zeroed(), zeroed()) };
    for (at, (header, vector)) in headers.iter_mut().zip(&mut vectors).take(count).enumerate() {
        let Message { to: (to, control), bytes } = message(at);
        *vector = iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let header = &mut header.msg_hdr;
        header.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_namelen = to.len();
        header.msg_iov = vector;
        header.msg_iovlen = 1;
        if control.length > 0 {
            header.msg_control = control.bytes.as_ptr().cast_mut().cast();
            header.msg_controllen = control.length as _;
        }
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let (fd, count) = (socket.as_raw_fd(), count as c_uint);
    // SAFETY: the first `count` headers point to a name, a vector and control data of the lengths
    // they say, all of which outlive the call; the kernel reads through these pointers and writes
    // to the headers alone.
    let sent = unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), count, flags as _) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
