//! What the standard library would ask of libgcc_s when something panics, in a build that has no unwind tables (build.rs leaves them out).
//!
//! Without them no call stack can be walked. The standard library does not know that, and so it brings what prints one: readers of ELF and DWARF and
//! of mangled names, an eighth of the agent. Here the walk ends before its first step. The link-time optimizer sees that, and leaves all that out;
//! and libgcc_s is not loaded. A panic says what it is and where, and aborts, as before.

use core::ffi::c_int;

/// Of the ABI's `_Unwind_Reason_Code`: there are no more callers.
const END_OF_STACK: c_int = 5;

/// As the ABI has it, but that the callback is never called.
#[no_mangle]
extern "C" fn _Unwind_Backtrace(_each: usize, _argument: usize) -> c_int {
    END_OF_STACK
}

/// What only somebody who unwinds calls, and a panic that aborts does not.
macro_rules! never_called {
    ($($name:ident)*) => {
        $(
            #[cfg(not(target_arch = "arm"))]
            #[no_mangle]
            extern "C" fn $name() -> ! {
                std::process::abort()
            }
        )*
    };
}

never_called! {
    _Unwind_DeleteException
    _Unwind_GetDataRelBase
    _Unwind_GetIP
    _Unwind_GetIPInfo
    _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart
    _Unwind_GetTextRelBase
    _Unwind_RaiseException
    _Unwind_Resume
    _Unwind_SetGR
    _Unwind_SetIP
}
