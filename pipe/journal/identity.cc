// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/identity.h"

#include "pipe/journal/segment_file.h"

namespace tidegate {

using namespace journal_format;

namespace {

constexpr std::uint64_t kIdentityLimit = 4096;
constexpr std::string_view kFirstLine = "tidegate-journal 1\n";

Error damaged(const std::string& directory, const char* what) {
  return make_error(ErrorCode::kDamaged,
                    std::string(what) +
                        "; restore the file from a backup, or run `tidegate adopt --as-new` " +
                        "to give this data a new journal id")
      .at_path(identity_path(directory));
}

std::string crc_hex(std::string_view text) {
  const std::uint32_t crc = __builtin_bswap32(crc32(as_bytes(text)));
  return to_hex({reinterpret_cast<const std::uint8_t*>(&crc), sizeof(crc)});
}

// Takes the line "key value\n" off the front of `text`.
bool take_line(std::string_view* text, std::string_view key, std::string* value) {
  const std::size_t end = text->find('\n');
  if (end == std::string_view::npos || !text->starts_with(key) || end < key.size()) return false;
  *value = text->substr(key.size(), end - key.size());
  text->remove_prefix(end + 1);
  return true;
}

bool parse_id(const std::string& hex, Id* out) {
  Bytes bytes;
  if (hex.size() != 2 * out->bytes.size() || !from_hex(hex, &bytes)) return false;
  std::copy(bytes.begin(), bytes.end(), out->bytes.begin());
  return true;
}

// The birth id as any readable segment header tells it.
Result<Id> birth_from_segments(FileSystem& files, const std::string& directory) {
  TG_TRY(const std::vector<SegmentName> names, list_segment_names(files, directory));
  for (const SegmentName& name : names) {
    auto file = files.open(directory + "/" + segment_file_name(name), OpenMode::kRead);
    if (!file.ok()) continue;
    Bytes bytes(kSegmentHeaderSize);
    const auto got = (*file)->read_at(0, bytes);
    if (!got.ok() || *got != bytes.size()) continue;
    if (const auto header = decode_segment_header(bytes); header.ok()) return header->birth;
  }
  return make_error(ErrorCode::kDamaged, "no segment with a readable header, nothing can be adopted")
      .at_path(directory);
}

}  // namespace

std::string identity_path(const std::string& directory) {
  return directory + "/" + std::string(kIdentityName);
}

Result<JournalIdentity> read_identity(FileSystem& files, const std::string& directory) {
  TG_TRY(const Bytes bytes, read_file(files, identity_path(directory), kIdentityLimit));
  const std::string_view all = as_text(bytes);
  std::string_view text = all;
  std::string journal, birth, crc;
  JournalIdentity out;
  if (!text.starts_with(kFirstLine)) return damaged(directory, "the identity file is not one of version 1");
  text.remove_prefix(kFirstLine.size());
  if (!take_line(&text, "journal ", &journal) || !take_line(&text, "birth ", &birth) ||
      !take_line(&text, "machine ", &out.machine))
    return damaged(directory, "the identity file is damaged");
  const std::string_view covered = all.substr(0, all.size() - text.size());
  if (!take_line(&text, "crc ", &crc) || !text.empty() || crc != crc_hex(covered) ||
      !parse_id(journal, &out.journal) || !parse_id(birth, &out.birth))
    return damaged(directory, "the identity file is damaged");
  return out;
}

Status write_identity(FileSystem& files, const std::string& directory, const JournalIdentity& identity) {
  if (identity.machine.find('\n') != std::string::npos)
    return make_error(ErrorCode::kInvalidArgument, "a machine id is one line of text");
  std::string text(kFirstLine);
  text += "journal " + identity.journal.hex() + "\nbirth " + identity.birth.hex() + "\nmachine " +
          identity.machine + "\n";
  text += "crc " + crc_hex(text) + "\n";
  return replace_file(files, identity_path(directory), as_bytes(text));
}

Result<JournalIdentity> adopt_journal(Env env, const std::string& directory, const std::string& machine_id,
                                      bool as_new) {
  TG_TRY(const auto lock, env.files->lock(directory + "/" + std::string(kLockName)));
  auto identity = read_identity(*env.files, directory);
  if (!identity.ok()) {
    if (!as_new) return std::move(identity).error();
    TG_TRY(const Id birth, birth_from_segments(*env.files, directory));
    identity = JournalIdentity{birth, birth, {}};
  }
  identity->machine = machine_id;
  if (as_new) env.random->fill(identity->journal.bytes);
  TG_CHECK(write_identity(*env.files, directory, *identity));
  return identity;
}

}  // namespace tidegate
