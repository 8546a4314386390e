// SPDX-License-Identifier: Apache-2.0
#include "base/env.h"

#include <algorithm>

namespace tidegate {
namespace {

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status write_new(FileSystem& files, const std::string& path, ByteView content) {
  TG_TRY(auto file, files.open(path, OpenMode::kOpenOrCreate));
  TG_CHECK(file->truncate(0));
  TG_CHECK(file->write_at(0, content));
  return file->sync();
}

}  // namespace

Result<Bytes> read_file(FileSystem& files, const std::string& path, std::uint64_t limit) {
  TG_TRY(auto file, files.open(path, OpenMode::kRead));
  // One byte more than the limit, so that files whose size() says nothing (/proc, credentials) are bounded
  // too.
  limit = std::min(limit, std::uint64_t{1} << 62);
  Bytes content;
  for (;;) {
    const std::size_t had = content.size();
    const std::uint64_t step = std::min<std::uint64_t>(64 * 1024, limit + 1 - had);
    content.resize(had + step);
    TG_TRY(const std::size_t got, file->read_at(had, std::span(content).subspan(had)));
    content.resize(had + got);
    if (content.size() > limit) {
      return Error(ErrorCode::kTooLarge, "the file has more than " + std::to_string(limit) + " bytes")
          .at_path(path);
    }
    if (got < step) return content;
  }
}

Status replace_file(FileSystem& files, const std::string& path, ByteView content) {
  const std::string temporary = path + ".new";
  if (Status written = write_new(files, temporary, content); !written.ok()) {
    (void)files.remove(temporary);
    return written;
  }
  TG_CHECK(files.rename(temporary, path));
  return files.sync_dir(parent_of(path));
}

}  // namespace tidegate
