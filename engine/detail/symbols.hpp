#pragma once
// Names of functions by their address, for messages.
#include <string>

namespace weft::detail {

/// The function that an address of the program's code lies in, without its parameters: from the symbols of the file
/// that it was loaded from, static functions included unless the file was stripped. Else the file and the offset in it,
/// as addr2line takes them; empty if the address belongs to no file.
std::string function_at(void* address);

/// The name in a demangled signature: without return type, parameters and what follows them.
std::string name_in_signature(const std::string& signature);

}  // namespace weft::detail
