"""NumPy integers and an index of its own."""


def tokenization_table(text: str, tokenizer) -> pd.DataFrame:
    batch = tokenizer([text], return_offsets_mapping=True, padding=False, truncation=False)
    offsets = np.array(batch["offset_mapping"][0], dtype=np.int32).reshape(-1, 2)
    frame = pd.DataFrame(
        {
            "id": np.array(batch["input_ids"][0]),
            "token": batch.tokens(0),
            "start": offsets[:, 0],
            "end": offsets[:, 1],
        }
    )
    return frame.rename_axis("position")
