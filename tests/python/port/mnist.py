"""Small images by a convolutional network, with Adadelta, StepLR and nll_loss."""

import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from sklearn.datasets import load_digits
from torch.optim.lr_scheduler import StepLR


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()  # noqa: UP008
        self.conv1 = nn.Conv2d(1, 16, 3, 1)
        self.conv2 = nn.Conv2d(16, 32, 3, 1)
        self.dropout1 = nn.Dropout(0.1)
        self.dropout2 = nn.Dropout2d(0.1)
        self.fc1 = nn.Linear(128, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.dropout2(F.max_pool2d(x, 2))
        x = torch.flatten(x, 1)
        x = self.dropout1(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


def train(args, model, device, loader, optimizer):
    model.train()
    total = 0.0
    for data, target in loader:
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        total += loss.item()
        if args.dry_run:
            break
    return total / len(loader)


def test(model, device, loader):
    model.eval()
    loss, correct = 0, 0
    with torch.no_grad():
        for data, target in loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    return loss / len(loader.dataset), correct / len(loader.dataset)


def main(folder):
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--lr", type=float, default=1.0)
    parser.add_argument("--gamma", type=float, default=0.8)
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args([])
    torch.manual_seed(1)
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    images, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(images.astype(np.float32).reshape(-1, 1, 8, 8) / 16)
    data = torch.utils.data.TensorDataset(images, torch.from_numpy(labels))
    train_kwargs = {"batch_size": 32, "shuffle": True, "num_workers": 0, "pin_memory": False}
    train_loader = torch.utils.data.DataLoader(torch.utils.data.Subset(data, range(1500)), **train_kwargs)
    test_loader = torch.utils.data.DataLoader(torch.utils.data.Subset(data, range(1500, 1797)), batch_size=500)
    model = Net().to(device)
    optimizer = optim.Adadelta(model.parameters(), lr=args.lr)
    scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)
    losses = []
    for epoch in range(1, args.epochs + 1):
        losses.append(train(args, model, device, train_loader, optimizer))
        loss, accuracy = test(model, device, test_loader)
        print(f"epoch {epoch}: loss {losses[-1]:.4f}, test loss {loss:.4f}, accuracy {accuracy:.3f}")
        scheduler.step()
    torch.save(model.state_dict(), f"{folder}/mnist.pt")
    assert accuracy > 0.85
    return losses[0], losses[-1]
