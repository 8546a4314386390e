// SPDX-License-Identifier: Apache-2.0
// Passwords as they are stored: scrypt (RFC 7914) of OpenSSL, with a random salt.
//
// Form: scrypt$<log2 N>$<r>$<p>$<salt, 32 hex>$<key, 64 hex>. N 2^15, r 8, p 3 for new ones (32 MiB, some
// 0.2 s): never on a thread that carries data.
#pragma once

#include <string>
#include <string_view>

#include "base/env.h"

namespace tidegate {

// kInvalidArgument for an empty password or one of more than 1024 bytes.
Result<std::string> hash_password(Random& random, std::string_view password);
// Takes as long for a wrong password as for the right one. An empty `stored` matches nothing. kDamaged for a
// stored form that is not the above or asks for more than 256 MiB.
Result<bool> verify_password(std::string_view stored, std::string_view password);

}  // namespace tidegate
