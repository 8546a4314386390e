// SPDX-License-Identifier: Apache-2.0
// Runs in tidegate-plugin-host: canonical bytes → the typed view that a plugin gets.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory_resource>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "pipe/engine/tg_plugin_v1.h"
#include "pipe/model/rows_reader.h"

namespace tidegate::tgplugin {

inline tg_str as_tg(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view from_tg(tg_str text) {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}
inline tg_bytes as_tg(ByteView bytes) {
  return {bytes.data(), bytes.size()};
}
inline ByteView from_tg(tg_bytes bytes) {
  return bytes.size == 0 ? ByteView() : ByteView(bytes.data, bytes.size);
}

// A struct of a plugin that was compiled with a shorter or longer one: what is missing is zeros.
template <class T>
T copy_known(const T* from) {
  T out{};
  std::memcpy(&out, from, std::min<std::size_t>(from->struct_size, sizeof(T)));
  return out;
}

// One thread. The views live until the next clear() and as long as the bytes they were made of.
class BatchUnpacker {
 public:
  // Validates as it goes; every error of the batch format.
  Result<const tg_batch*> unpack(ByteView canonical, std::uint64_t number);
  // Forgets all batches.
  void clear() { memory_.release(); }

 private:
  template <class T>
  T* make(std::size_t count) {
    return static_cast<T*>(memory_.allocate(count * sizeof(T), alignof(T)));
  }
  Status unpack_rows(ByteReader& reader, tg_batch* batch);
  tg_series unpack_series(const RowsReader& rows);
  tg_column unpack_column(const RowsReader::ColumnHead& head, const RowsReader::Column& column,
                          std::size_t rows);

  std::pmr::monotonic_buffer_resource memory_;
};

}  // namespace tidegate::tgplugin
