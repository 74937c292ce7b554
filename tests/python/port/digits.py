"""A torch script as one would write it: model, data set, loader, loop, schedule, checkpoint."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, Dataset, random_split

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Digits(Dataset):
    def __init__(self):
        images, labels = load_digits(return_X_y=True)
        self.images = torch.from_numpy(images.astype(np.float32)) / 8.0 - 1.0
        self.labels = torch.from_numpy(labels).long()

    def __getitem__(self, index):
        return self.images[index], self.labels[index]

    def __len__(self):
        return len(self.labels)


class Net(nn.Module):
    def __init__(self, hidden=128):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.1))
        self.hidden = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 10)

    def forward(self, x):
        x = self.layers(x)
        x = x + F.gelu(self.hidden(x))
        return self.out(x)


def evaluate(model, loader):
    model.eval()
    hits, count = 0, 0
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            hits += (model(x).argmax(dim=1) == y).sum().item()
            count += y.size(0)
    return hits / count


def main(folder, epochs=12):
    torch.manual_seed(0)
    train_set, test_set = random_split(Digits(), [1437, 360], generator=torch.Generator().manual_seed(1))
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True, drop_last=True)
    test_loader = DataLoader(test_set, batch_size=256)
    model = Net().to(device)
    optimizer = AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    scheduler = OneCycleLR(optimizer, max_lr=4e-3, total_steps=epochs * len(train_loader))
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    best, path = 0.0, f"{folder}/best.pt"
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for x, y in train_loader:
            x, y = x.to(device), y.to(device)
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            scheduler.step()
            total += loss.item() * x.size(0)
        accuracy = evaluate(model, test_loader)
        print(f"epoch {epoch}: loss {total / len(train_set):.3f}, accuracy {accuracy:.3f}, lr {scheduler.get_last_lr()[0]:.5f}")
        if accuracy > best:
            best = accuracy
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, path)
    checkpoint = torch.load(path, map_location=device)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    assert evaluate(model, test_loader) == best
    return best, model
