// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/bytes.h"

struct libdeflate_compressor;

namespace tidegate {

// One gzip member per call (some servers read only the first). Keeps its memory; one thread at a time.
class Gzip {
 public:
  Gzip();
  ~Gzip();
  // Valid until the next call. Empty where the memory for it is not there: send it plain.
  ByteView compress(ByteView plain);

 private:
  libdeflate_compressor* compressor_;
  Bytes out_;
};

}  // namespace tidegate
