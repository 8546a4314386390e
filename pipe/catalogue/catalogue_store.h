// SPDX-License-Identifier: Apache-2.0
// CatalogueStore: where a catalogue lives. SQLite in a daemon, a file of the Env in the simulator.
//
// Constructing one touches nothing; it opens when it is first asked. One control thread uses it. Errors:
// kLocked (another process holds a transaction), kDamaged, kUnsupported (written by a newer version), kIo,
// kNoSpace; none of them is for ever: the next call tries again.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/env.h"
#include "pipe/catalogue/changes.h"

namespace tidegate {

class CatalogueStore {
 public:
  virtual ~CatalogueStore() = default;
  virtual std::string path() const = 0;
  // False where there is nothing: no file, or an empty one.
  virtual bool exists() = 0;
  // Everything. kNotFound where there is nothing.
  virtual Result<CatalogueSnapshot> load() = 0;
  // One transaction over what is stored, durable when it returns. The catalogue afterwards.
  virtual Result<CatalogueSnapshot> apply(std::span<const CatalogueChange> changes) = 0;
  // Makes the store anew with this content, as a whole or not at all. What was there is kept beside it, under
  // its name with ".damaged-<now_micros>" behind it. Refused (kAlreadyExists) where load() works, and as
  // load() where the file is locked or of a newer version.
  virtual Status rebuild(const CatalogueSnapshot& content, std::int64_t now_micros) = 0;

 protected:
  // What rebuild() refuses is an error here.
  Status check_rebuildable();
};

// An SQLite 3 file. Waits at most `busy_limit` for another connection. Real files only: SQLite does not go
// through Env.
std::unique_ptr<CatalogueStore> make_sqlite_store(std::string path, Nanos busy_limit = 2 * kSecond);
// A JSON file that is replaced at each change.
std::unique_ptr<CatalogueStore> make_file_store(FileSystem& files, std::string path);

}  // namespace tidegate
