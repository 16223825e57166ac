"""Writes the golden files of package rows: what pyarrow 26 and datasets 5 write. Run in this folder:
python3 make.py. README.md says what is in them."""
import struct
import zlib

import datasets
import pyarrow as pa
import pyarrow.parquet as pq


def png(gray):
    """A picture of one pixel."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 1, 1, 8, 0, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(bytes([0, gray]))) + chunk(b'IEND', b''))


N = 7
pictures = [png(i) for i in range(N)]
image = pa.array([{'bytes': p, 'path': f'{i}.png'} for i, p in enumerate(pictures)])
label = pa.array([i % 3 for i in range(N)], pa.int64())
plain = pa.table({'image': image, 'label': label})
for codec in ('none', 'snappy', 'gzip', 'zstd', 'brotli'):
    pq.write_table(plain, f'{codec}.parquet', compression=codec, row_group_size=4)
pq.write_table(plain, 'pages2.parquet', data_page_version='2.0', use_dictionary=False, data_page_size=100, write_batch_size=2)
pq.write_table(plain, 'delta.parquet', use_dictionary=False, column_encoding={'label': 'DELTA_BINARY_PACKED'})
pq.write_table(pa.table({
    'label': label.cast(pa.int32()), 'caption': pa.array(['a picture'] * N), 'coarse_label': label,
    'thumb': pa.array([b'no picture'] * N), 'jpg': pa.array([None if i % 3 == 1 else p for i, p in enumerate(pictures)]),
    'tags': pa.array([['a', 'b']] * N), 'mask': pa.array(pictures)}), 'columns.parquet')
pq.write_table(pa.table({'img': image, 'category': pa.array(['dog', 'cat', None, 'x10', 'x2', 'dog', 'cat'])}), 'texts.parquet')
pq.write_table(pa.table({'image': pa.array([{'bytes': None, 'path': 'a.png'}] * N), 'label': label}), 'paths.parquet')
pq.write_table(pa.table({'x': pa.array([0.5] * N), 'text': pa.array(['a'] * N)}), 'other.parquet')
pq.write_table(pa.table({'image': image, 'label': pa.array([-1] * N)}), 'unlabelled.parquet')
pq.write_table(pa.table({'image': image, 'label': pa.array([i % 2 == 0 for i in range(N)])}), 'bool.parquet')
# As pandas writes labels of which some are missing.
pq.write_table(pa.table({'image': image, 'label': pa.array([float('nan') if i == 1 else float(i % 3) for i in range(N)])}),
               'floats.parquet')
pq.write_table(pa.table({'image': image, 'label': pa.array([i / 2 for i in range(N)], pa.float32())}), 'fractions.parquet')
# Rows of parts of a set, and labels that are missing in words.
part = ['train', 'train', 'Validation', 'train', 'test', 'train', 'extra']
pq.write_table(pa.table({'image': image, 'label': pa.array(['cat', 'nan', 'dog', 'None', 'cat', 'none', 'dog']), 'split': pa.array(part)}),
               'split.parquet')
pq.write_table(pa.table({'image': image, 'label': label, 'is_val': pa.array([i == 2 for i in range(N)]),
                         'is_test': pa.array([i == 4 for i in range(N)])}), 'is_test.parquet')
pq.write_table(pa.table({'image': image, 'label': label, 'partition': pa.array([0, 0, 1, 0, 2, 0, 0])}), 'partition.parquet')
pq.write_table(pa.table({'image': image, 'label': label, 'split': pa.array([0, 0, 1, 0, 1, 0, None])}), 'unknown-split.parquet')
pq.write_table(pa.table({'image': image, 'label': label, 'split': pa.array([i % 2 for i in range(N)])}), 'delta-split.parquet',
               use_dictionary=False, column_encoding={'split': 'DELTA_BINARY_PACKED'})
features = datasets.Features({'image': datasets.Image(), 'label': datasets.ClassLabel(names=['ant', 'bee', 'cow'])})
datasets.Dataset.from_dict({'image': [{'bytes': p, 'path': None} for p in pictures], 'label': [i % 3 for i in range(N)]},
                           features=features).to_parquet('datasets.parquet')
