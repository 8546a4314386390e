// SPDX-License-Identifier: Apache-2.0
// PositionStore: where a pipe keeps how far it has come. The daemons implement it over the notes of their
// journal.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "pipe/journal/journal.h"

namespace tidegate {

struct StoredPosition {
  Lsn lsn = 0;  // the last LSN that is delivered; 0: none
  Bytes state;  // opaque: the engine's own marks and the connector's state
};

// Any thread.
class PositionStore {
 public:
  virtual ~PositionStore() = default;
  // Nothing for a pipe that never stored one.
  virtual Result<std::optional<StoredPosition>> get(const std::string& pipe) = 0;
  // Durable when it returns success. Position and state are stored together or not at all.
  virtual Status set(const std::string& pipe, Lsn lsn, ByteView state) = 0;
};

}  // namespace tidegate
