// SPDX-License-Identifier: Apache-2.0
#include "base/net.h"

namespace tidegate {

std::string Endpoint::text() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace tidegate
