"""The filter of system calls that student code runs under, compiled by libseccomp."""

from __future__ import annotations

import errno
import tempfile

__all__ = ["MISSING", "compiled"]

MISSING = (
    "There is no filter of system calls here (Debian: libseccomp2; PyPI: pyseccomp): "
    "student code runs in its box without one."
)
FORBIDDEN = """
    unshare setns mount umount2 pivot_root chroot fsopen fsconfig fsmount fspick move_mount
    open_tree mount_setattr open_by_handle_at name_to_handle_at
    keyctl add_key request_key
    ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp userfaultfd
    shmget shmat shmctl shmdt msgget msgsnd msgrcv msgctl semget semop semctl semtimedop
    mq_open mq_unlink memfd_create memfd_secret
    bpf perf_event_open io_uring_setup io_uring_enter io_uring_register
    init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct
    quotactl sethostname setdomainname fanotify_init lookup_dcookie vhangup
"""
NEW_NAMESPACES = 0x7E020080  # CLONE_NEW: user, pid, net, ipc, uts, cgroup, mount, time


def compiled() -> bytes | None:
    """Return the filter as a BPF program; None where there is no libseccomp."""
    try:
        import pyseccomp as seccomp
    except (ImportError, OSError, RuntimeError):
        return None
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in FORBIDDEN.split():
        try:
            rules.add_rule(seccomp.ERRNO(errno.EPERM), name)
        except (OSError, ValueError, RuntimeError):  # a call that this libseccomp does not know
            continue
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags are out of a filter's sight
    for flag in (1 << bit for bit in range(32) if NEW_NAMESPACES >> bit & 1):
        new = seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag)
        rules.add_rule(seccomp.ERRNO(errno.EPERM), "clone", new)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
