"""Writes the golden files of package array: what NumPy and Python write, with numbers that follow a rule.
Run in this folder: python3 make.py (NumPy 2.4, Python 3). README.md says what is in them."""
import pickle
import numpy as np

ramp = np.arange(2 * 4 * 5 * 3, dtype='u1').reshape(2, 4, 5, 3)
for name, a in {
    'half-fortran.npy': np.asfortranarray((ramp / 255).astype('f2')),
    'big-endian.npy': (ramp.astype('>i4') * 16),
    'channels-first.npy': ramp.transpose(0, 3, 1, 2).copy(),
    'bool.npy': ramp % 2 == 1,
}.items():
    np.save(name, a)
np.savez('stored.npz', images=ramp, labels=np.array(['dog', 'cat']))
np.savez_compressed('packed.npz', x_train=ramp, y_train=np.array([[1], [0]]), x_test=ramp[:1], y_test=np.array([[1]]))

rows = np.arange(3 * 48, dtype='u1').reshape(3, 48)
for protocol in (0, 2, 4, 5):
    with open(f'batch-{protocol}.pickle', 'wb') as f:
        pickle.dump({b'data': rows, b'labels': [2, 0, 1], 'filenames': ['a'] * 3}, f, protocol)
with open('meta.pickle', 'wb') as f:
    pickle.dump({b'label_names': [b'ant', b'bee', b'cow']}, f, 2)
# As Python 2 wrote it, whose texts are bytes: CIFAR's own files are like this.
with open('batch-python2.pickle', 'wb') as f:
    raw = rows.tobytes()
    f.write(b'\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05'
            b'(K\x01K\x03K0\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89'
            b'T' + len(raw).to_bytes(4, 'little') + raw + b'tbU\x06labelsq\x08]q\x09(K\x02K\x00K\x01eu.')
