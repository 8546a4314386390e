// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/data_dir.h"

namespace tidegate {
namespace {

constexpr std::uint64_t kLongest = 64;

std::string role_path(const std::string& data_dir) {
  return data_dir + "/role";
}

Result<std::string> read_role(FileSystem& files, const std::string& path) {
  TG_TRY(const Bytes content, read_file(files, path, kLongest));
  if (as_text(content) == "sender\n") return std::string("sender");
  if (as_text(content) == "receiver\n") return std::string("receiver");
  return make_error(ErrorCode::kDamaged,
                    "this file says whose data directory it is in: sender or receiver, and a line end. Look "
                    "what the journal beside it is, and write that")
      .at_path(path);
}

}  // namespace

Status check_data_dir(FileSystem& files, const std::string& data_dir, std::string_view role) {
  const std::string path = role_path(data_dir);
  if (!files.exists(path)) return {};
  TG_TRY(const std::string found, read_role(files, path));
  if (found == role) return {};
  return make_error(ErrorCode::kIdentity, "this data directory belongs to a " + found + ", and this is a " +
                                              std::string(role) +
                                              ": give each daemon a `data_dir` of its own")
      .at_path(path);
}

Status claim_data_dir(FileSystem& files, const std::string& data_dir, std::string_view role) {
  TG_CHECK(files.make_dirs(data_dir));
  TG_CHECK(check_data_dir(files, data_dir, role));
  if (files.exists(role_path(data_dir))) return {};
  return replace_file(files, role_path(data_dir), as_bytes(std::string(role) + "\n"));
}

}  // namespace tidegate
