// SPDX-License-Identifier: Apache-2.0
// The body of one request: taken piece by piece, decompressed as it comes, bounded in every direction.
//
// Limits hold for the bytes as sent and for the bytes after gzip; both are checked before memory is taken, so
// a decompression bomb costs at most max_decompressed. Memory is taken from the budget before it is allocated
// and given back by the destructor or by release().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/memory_budget.h"
#include "base/result.h"

namespace tidegate {

class BodyReader {
 public:
  struct Limits {
    std::uint64_t sent = 0;
    std::uint64_t decompressed = 0;
  };
  // `budget` outlives the reader.
  BodyReader(MemoryBudget* budget, Limits limits, bool gzip);
  ~BodyReader();
  BodyReader(BodyReader&&) noexcept;
  BodyReader& operator=(BodyReader&&) noexcept;

  // kTooLarge above a limit, kOutOfMemoryBudget, kMalformed for damaged gzip. After an error only the
  // destructor.
  Status add(std::string_view piece);
  // No more follows: kMalformed when gzip ends early.
  Status finish();

  std::string_view text() const;  // decompressed
  std::uint64_t sent() const;     // bytes given to add()
  Hash128 hash() const;           // XXH3-128 of the bytes as sent
  void release();                 // text() is gone

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate
